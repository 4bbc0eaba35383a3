"""The private folder of a play: gone afterwards, and with it whatever still works in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

PREFIX = "evc-play-"


@contextlib.contextmanager
def private() -> Iterator[Path]:
    """A new folder, 0700. What an EVC that was killed left of its own is ended first."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _abandoned(left):
            end(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        yield folder
    except BaseException:
        end(folder)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def end(folder: Path) -> None:
    """Kill what works in a folder: Ansible and its workers outlive a timeout and their parent."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    owner = folder.name.removeprefix(PREFIX).partition("-")[0]
    ours = not folder.is_symlink() and folder.stat().st_uid == os.getuid()
    return ours and owner.isdecimal() and not psutil.pid_exists(int(owner))
