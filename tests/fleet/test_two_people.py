"""Two people and one fleet folder: real Unix users with the real CLI, and a stranger."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evc.doors import ssh
from evc.doors.fleet import Fleet

pytestmark = pytest.mark.fleet

ROOT = Path(__file__).parents[2]
PACKAGES = sysconfig.get_path("purelib")
PASSWORD = "sEntInel-two-people"


@dataclass(frozen=True)
class People:
    """Accounts of this machine for the while of the test, and where their fleet is."""

    group: str
    alice: str
    bob: str
    carol: str  # not of the group
    folder: Path
    python: str

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.folder)

    def run(self, who: str, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{PACKAGES}", "LANG": "C.UTF-8"}
        return subprocess.run(
            ["runuser", "-u", who, "--", "env", f"EVC_USER={who}", *command],
            input=stdin, capture_output=True, text=True, check=False, env=own, cwd="/", timeout=120,
        )  # fmt: skip

    def evc(self, who: str, *words: str, code: int = 0, stdin: str = "") -> str:
        command = [self.python, "-m", "evc", "-C", str(self.folder), *words]
        done = self.run(who, *command, stdin=stdin)
        assert done.returncode == code, f"{who}: {words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    mark = secrets.token_hex(3)
    names = [f"evc-{name}-{mark}" for name in ("ops", "alice", "bob", "carol")]
    base = Path(tempfile.mkdtemp(prefix=f"evc-people-{mark}-", dir="/tmp"))
    made = People(*names, base / "shop", _python())
    try:
        subprocess.run(["groupadd", made.group], check=True)
        for name in (made.alice, made.bob):
            subprocess.run(["useradd", "-M", "-G", made.group, name], check=True)
        subprocess.run(["useradd", "-M", made.carol], check=True)
        made.folder.mkdir()
        shutil.chown(base, made.alice)
        shutil.chown(made.folder, made.alice)
        base.chmod(0o755)
        if made.run(made.carol, made.python, "-c", "import evc").returncode:
            pytest.skip("this checkout is for its owner alone: other users cannot run it")
        made.evc(made.alice, "init", str(made.folder), "--shared", made.group)
        yield made
    finally:
        for name in names[1:]:
            subprocess.run(["userdel", name], check=False, capture_output=True)
        subprocess.run(["groupdel", made.group], check=False, capture_output=True)
        shutil.rmtree(base)


def _python() -> str:
    """An interpreter that every user may run; this one may lie in somebody's home."""
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    return system if Path(system).exists() else sys.executable


def test_what_one_began_the_other_goes_on_with(people: People) -> None:
    people.evc(
        people.alice, "secret", "set", "PIN", "--no-apply", "--file", "-", stdin=f"{PASSWORD}\n"
    )
    people.evc(people.bob, "config", "set", "A=1", "--no-apply")
    people.evc(
        people.bob, "secret", "set", "KEY", "--no-apply", "--file", "-", stdin=f"{PASSWORD}\n"
    )
    people.evc(people.alice, "config", "set", "A=2", "--no-apply")
    said = people.evc(people.alice, "secret", "list")
    assert "PIN" in said and "KEY" in said

    shown = people.evc(people.bob, "history")

    assert people.alice in shown and people.bob in shown


def test_the_folder_is_the_groups_and_nobody_elses(people: People) -> None:
    people.evc(people.alice, "history")
    for path in (people.folder, *people.folder.rglob("*")):
        status = path.lstat()
        assert path.group() == people.group, path
        assert not status.st_mode & 0o007, f"{path}: {stat.filemode(status.st_mode)}"
    said = people.evc(people.carol, "history", code=2)
    assert "is not for this account" in said
    assert people.run(people.carol, "ls", str(people.folder)).returncode


def test_each_has_the_key_as_openssh_takes_it(people: People) -> None:
    """OpenSSH refuses its user a private key that others can read, the group too."""
    fleet = people.fleet
    public = ssh.ensure_key(fleet.ssh_key, "the fleet's", fleet.private_mode)
    for path in (fleet.ssh_key, fleet.ssh_key.with_suffix(".pub")):
        shutil.chown(path, people.alice, people.group)
    assert stat.S_IMODE(fleet.ssh_key.stat().st_mode) == 0o640
    code = "import sys; from pathlib import Path; from evc.doors.fleet import Fleet;"
    code += "print(Fleet(Path(sys.argv[1])).login_key)"
    for who in (people.alice, people.bob):
        done = people.run(who, people.python, "-c", code, str(people.folder))
        own = done.stdout.strip()
        assert Path(own).owner() == who and Path(own).stat().st_mode & 0o777 == 0o600
        read = people.run(who, "ssh-keygen", "-y", "-f", own)
        assert read.stdout.split()[:2] == public.split()[:2], read.stderr
        shutil.rmtree(Path(own).parent)
