"""The fleet folder: found, private, locked."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, Locked
from evc.runbooks.init import init

# Takes one lock after the other and keeps them; each time it is told to, and says how it went.
FIFTY = """
import contextlib, json, sys
from pathlib import Path
from evc.doors.fleet import Fleet
from evc.pure.errors import Locked
with contextlib.ExitStack() as stack:
    for number in range(int(sys.argv[2])):
        sys.stdin.readline()
        try:
            stack.enter_context(Fleet(Path(sys.argv[1])).lock(f"deploy-{number}"))
            print(json.dumps("won"), flush=True)
        except Locked as error:
            print(json.dumps(f"{int(error.code)} {error.message}"), flush=True)
    sys.stdin.read()
"""
HOLD = """
import sys
from pathlib import Path
from evc.doors.fleet import Fleet
with Fleet(Path(sys.argv[1])).lock("deploy-m"):
    print("held", flush=True)
    sys.stdin.read()
"""


PAIRS = 50


def test_of_fifty_pairs_one_each_wins_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    """The second of each is let go when the first has said that it holds the lock."""
    fleet, program = init(tmp_path), [sys.executable, "-c", FIFTY, str(tmp_path), str(PAIRS)]
    first, second = (
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )
    said = [json.loads(_told(second, _told(first, "begin"))) for _ in range(PAIRS)]
    assert len(said) == PAIRS
    for number, one in enumerate(said):
        assert one.startswith(f"4 deploy-{number} is locked by"), one
        assert f"process {first.pid}" in one
    first.kill()
    first.wait()
    for number in range(PAIRS):
        with fleet.lock(f"deploy-{number}"):
            pass
    second.communicate()


def _told(process: subprocess.Popen[str], line: str) -> str:
    """Let a process go on; what it says then."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{line.strip()}\n")
    process.stdin.flush()
    return process.stdout.readline()


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


def test_sockets_have_a_short_place_though_tmpdir_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OpenSSH would bind there, and could not below a temporary folder with a long name."""
    fleet, long = init(tmp_path / "fleet"), tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    place = fleet.sockets / "0123456789.0123456789abcdef"
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place))
        assert fleet.sockets.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(fleet.sockets)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        assert fleet.sockets.parent == Path(short)
