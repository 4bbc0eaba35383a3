"""systemd takes the units, and reads the paths in them as they are."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evc.pure.units import argv, units


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    evc = [sys.executable, "-m", "evc", "-C", '/srv/100 %n $HOME "a" 가게']
    made = units("0123456789ab", "/srv/100 %n", getpass.getuser(), evc)
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", *[str(tmp_path / name) for name in made]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in done.stderr.splitlines() if "evc-" in line]
    assert not said, done.stderr


def test_nothing_in_a_path_is_taken_for_anything_else() -> None:
    assert argv(["/a b", '%n "x" $Y \\']) == '"/a b" "%%n \\"x\\" $$Y \\\\"'
    with pytest.raises(ValueError, match="control character"):
        argv(["/a\nExecStart=/bin/true"])
