"""What cron does each minute on a node without systemd."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from evc.doors import fleet as fleets

CRON = fleets.share() / "playbooks" / "files" / "evc-watch.cron"


def began(home: Path, *programs: str) -> bool:
    """Whether the line begins a watcher of the node whose folder is `home`."""
    path = home / "bin"
    path.mkdir()
    (path / "python3").write_text(f"#!/bin/sh\necho $* > {home}/began\n")
    (path / "python3").chmod(0o755)
    for program in programs:
        (path / program).symlink_to(str(shutil.which(program)))
    _, command = CRON.read_text().splitlines()[-1].split(" evc ", 1)
    line = command.replace("/var/lib/evc", str(home))
    subprocess.run(["/bin/sh", "-c", line], env={"PATH": str(path)}, check=False)
    return (home / "began").exists()


def test_where_none_runs_one_begins(tmp_path: Path) -> None:
    assert began(tmp_path, "flock", "true")
    assert (tmp_path / "began").read_text() == f"{tmp_path}/evc_node.pyz watch\n"


def test_where_one_runs_no_python_begins(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "watch.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert not began(tmp_path, "flock", "true")
    os.close(lock)


def test_without_the_program_that_asks_one_begins(tmp_path: Path) -> None:
    assert began(tmp_path)
