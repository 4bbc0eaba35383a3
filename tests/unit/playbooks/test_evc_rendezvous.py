"""EVC's program on a rendezvous: tokens, and the lines of `authorized_keys`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "playbooks" / "files" / "evc_rendezvous.py"
FLEET = "0123456789ab"
TOKEN = "a-token"
KEY, OTHER, ENROLL = (f"ssh-ed25519 {letter * 68}" for letter in "abe")
THEIRS = 'restrict,permitlisten="127.0.0.1:20007" ssh-ed25519 x someone\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "authorized_keys").write_text(THEIRS)
    (tmp_path / FLEET).mkdir()
    shutil.copy(PROGRAM, tmp_path / FLEET)
    return tmp_path


def run(home: Path, *words: str, stdin: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(home / FLEET / PROGRAM.name), *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def manage(home: Path, do: str, **more: Any) -> Any:
    done = run(home, "manage", stdin=json.dumps({"do": do, **more}))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opened(home: Path, seconds: float = 3600, name: str = "cam01", taken: list[int] = []) -> Any:  # noqa: B006
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    more = {"key": f"{ENROLL} c", "token": digest, "seconds": seconds, "taken": taken}
    return manage(home, "open", name=name, **more)


def enroll(home: Path, token: str = TOKEN, key: str = KEY, hosts: str = OTHER) -> str:
    """What a node is told, after its status."""
    done = run(home, "enroll", "cam01", stdin=f"{token}\n{key} c\n{hosts} c\n")
    return f"{done.returncode} {done.stdout}{done.stderr}".strip()


def keys(home: Path) -> list[str]:
    return (home / ".ssh" / "authorized_keys").read_text().splitlines()


def test_from_a_script_to_a_tunnel_to_nothing(home: Path) -> None:
    port = opened(home)["port"]
    assert keys(home) == [
        THEIRS.strip(),
        f'restrict,command="python3 {home}/{FLEET}/{PROGRAM.name} enroll cam01" {ENROLL}'
        f" evc:{FLEET}:enroll:cam01",
    ]
    assert enroll(home) == "0 enrolled"
    assert manage(home, "show")["cam01"]["host_keys"] == [OTHER]
    manage(home, "accept", name="cam01")
    assert keys(home) == [
        THEIRS.strip(),
        f'restrict,port-forwarding,permitlisten="127.0.0.1:{port}",permitopen="nowhere.invalid:1"'
        f',command="false" {KEY} evc:{FLEET}:tunnel:cam01',
    ]
    manage(home, "close", name="cam01")
    manage(home, "close", name="cam01")
    assert keys(home) == [THEIRS.strip()] and manage(home, "show") == {}


def test_the_sessions_of_other_accounts_go_on(home: Path, tmp_path: Path) -> None:
    """This account's home is not the rendezvous': an sshd of its own is not EVC's to end."""
    shutil.copy(shutil.which("sleep") or "", tmp_path / "sshd")
    opened(home)
    with subprocess.Popen([tmp_path / "sshd", "60"]) as other:
        manage(home, "close", name="cam01")
        assert other.poll() is None
        other.terminate()


def test_a_token_works_once_for_one_key(home: Path) -> None:
    opened(home)
    assert "this token is wrong" in enroll(home, token="another")
    assert enroll(home) == "0 enrolled"
    assert enroll(home) == "0 enrolled before", "its answer may have got lost on the way"
    assert "1 evc: this token was used already, 20" in enroll(home, key=OTHER)
    assert manage(home, "show")["cam01"]["tunnel_key"] == KEY


def test_a_token_expires_and_a_new_script_undoes_the_one_before(home: Path) -> None:
    port = opened(home, seconds=-1)["port"]
    assert "1 evc: this token expired, 20" in enroll(home)
    assert "tunnel_key" not in manage(home, "show")["cam01"]
    assert opened(home)["port"] == port
    assert len(keys(home)) == 2 and enroll(home) == "0 enrolled"


def test_a_token_is_not_kept(home: Path) -> None:
    opened(home)
    for file in home.rglob("*"):
        assert not file.is_file() or TOKEN not in file.read_text()
    assert (home / FLEET / "nodes" / "cam01.json").stat().st_mode & 0o777 == 0o600


def test_nobody_is_accepted_unseen(home: Path) -> None:
    opened(home)
    done = run(home, "manage", stdin='{"do": "accept", "name": "cam01"}')
    assert done.returncode == 1 and "has not presented itself" in done.stderr


@pytest.mark.parametrize(
    ("key", "hosts"),
    [
        ('command="sh" ssh-ed25519 ' + "a" * 68, OTHER),
        ("ssh-ed25519 short", OTHER),
        ("", OTHER),
        (KEY, "* " + OTHER),
        (KEY, "ssh-ed25519 " + "a" * 5000),
        (KEY, "\x1b[2J"),
    ],
)
def test_what_is_no_key_never_reaches_a_file(home: Path, key: str, hosts: str) -> None:
    opened(home)
    before = keys(home)
    assert enroll(home, key=key, hosts=hosts).startswith("1 evc: ")
    assert keys(home) == before and "tunnel_key" not in manage(home, "show")["cam01"]


@pytest.mark.parametrize("name", ["../x", "a b", "a\nb", "", "-x", "$(id)", "a" * 64, "cam01;id"])
def test_what_is_no_name_is_refused(home: Path, name: str) -> None:
    before = keys(home)
    for words, stdin in (
        (("enroll", name), f"{TOKEN}\n{KEY}\n{OTHER}\n"),
        (("manage",), json.dumps({"do": "close", "name": name})),
    ):
        assert run(home, *words, stdin=stdin).returncode == 1
    assert keys(home) == before


def test_every_node_of_every_fleet_has_a_port_of_its_own(home: Path) -> None:
    first = opened(home)["port"]
    taken = sorted({*range(20000, 32000)} - {first, 20007, 20008, 20009})
    ports = {opened(home, name=name, taken=taken)["port"] for name in ("a", "b")}
    assert ports == {20008, 20009}, "not the first node's, and not the one that others listen on"
