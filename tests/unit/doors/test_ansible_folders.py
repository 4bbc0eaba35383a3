"""A play's folder and whoever works in it, when EVC ends in good order, and when it is killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from evc.doors.ansible import folders

WORKER = [sys.executable, "-c", "import time; time.sleep(600)"]
PLAY = f"""
import subprocess, time
from evc.doors.ansible import folders
with folders.private() as folder:
    worker = subprocess.Popen([*{WORKER!r}, f"{{folder}}/inventory"])
    print(worker.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def ended(pid: int) -> bool:
    gone, _ = psutil.wait_procs([psutil.Process(pid)], timeout=10) if psutil.pid_exists(pid) else (
        [True], [])  # fmt: skip
    return bool(gone)


def test_what_a_killed_one_left_is_ended_by_the_next(elsewhere: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PLAY], stdout=subprocess.PIPE) as play:
        assert play.stdout
        worker = int(play.stdout.readline())
        with folders.private():
            assert psutil.pid_exists(worker)  # its play goes on
            assert len(list(elsewhere.iterdir())) == 2
        play.kill()
    assert psutil.pid_exists(worker)
    with folders.private() as folder:
        assert list(elsewhere.iterdir()) == [folder]
    assert ended(worker)
    assert list(elsewhere.iterdir()) == []


def test_whoever_still_works_in_it_ends_with_a_play_that_failed(elsewhere: Path) -> None:
    with pytest.raises(KeyboardInterrupt), folders.private() as folder:
        worker = subprocess.Popen([*WORKER, str(folder / "inventory")])
        raise KeyboardInterrupt
    assert worker.wait(timeout=10) < 0
    assert list(elsewhere.iterdir()) == []


def test_what_somebody_else_calls_so_is_left_alone(elsewhere: Path) -> None:
    aside = elsewhere / "aside"
    aside.mkdir()
    link = elsewhere / f"{folders.PREFIX}99999999-x"
    link.symlink_to(aside)
    (elsewhere / f"{folders.PREFIX}notes").mkdir()
    with folders.private():
        pass
    assert link.is_symlink() and aside.is_dir() and (elsewhere / f"{folders.PREFIX}notes").is_dir()
