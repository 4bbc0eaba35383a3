"""The fleet folder: found, private, locked."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, Locked
from evc.runbooks.init import init

HOLD = """
import sys
from pathlib import Path
from evc.doors.fleet import Fleet
with Fleet(Path(sys.argv[1])).lock("deploy-m"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = init(tmp_path / "fleet")
    below = made.root / "a" / "b"
    below.mkdir(parents=True)
    assert fleets.find(below).root == made.root
    monkeypatch.setenv("EVC_HOME", str(made.root))
    assert fleets.find().root == made.root
    with pytest.raises(BadInput, match=r"no ServerConfig\.yaml"):
        fleets.find(tmp_path)


def test_init_never_overwrites(tmp_path: Path) -> None:
    init(tmp_path)
    with pytest.raises(BadInput, match="exists already"):
        init(tmp_path)


def test_the_sample_config_is_right(tmp_path: Path) -> None:
    config = init(tmp_path).config()
    assert [step.activation for step in config.autorun] == ["register", "build", "download"]


def test_secrets_are_private(tmp_path: Path) -> None:
    made = init(tmp_path)
    assert stat.S_IMODE(made.certs.stat().st_mode) == 0o700
    assert stat.S_IMODE((made.certs / "fleet-id").stat().st_mode) == 0o600
    assert made.id == Fleet(made.root).id


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("x")
    file.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        fleets.read_private(file)


def test_a_config_that_anyone_may_change_is_refused(tmp_path: Path) -> None:
    made = init(tmp_path)
    made.config_file.chmod(0o666)
    with pytest.raises(BadInput, match="any user"):
        made.config()


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    made = init(tmp_path)
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD, str(made.root)]
    holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    with pytest.raises(Locked, match=f"process {holder.pid}"), made.lock("deploy-m"):
        pass
    with made.lock("deploy-other"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with made.lock("deploy-m"):
        pass
    holder.stdin.close() if holder.stdin else None
    holder.stdout.close()
