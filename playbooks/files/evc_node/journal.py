"""The journal of one job (a swap, a build): JSON lines that are on disk before the next step.

A job holds the folder's lock while it works; death frees the lock, so whoever takes it next finds
either a finished journal or one to recover.
"""

import contextlib
import fcntl
import json
import os
import sys
import time
from pathlib import Path

FINAL = ("done", "failed", "reverted")


class Journal:
    """The journal in `folder`; writing needs the lock."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / "journal"
        self._read = None, []

    def begin(self, order):
        """Start anew: the old journal is replaced by one that holds the order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / "journal.draft"
        with draft.open("w") as file:
            file.write(_line("begin", {"order": order}))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        _sync_folder(self.folder)

    def step(self, name, **details):
        """Write a step and wait until the disk has it."""
        self._append(_line(name, details), sync=True)

    def progress(self, name, **details):
        """Write what a watcher wants to see and a recovery does not need."""
        self._append(_line(name, dict(details, progress=True)), sync=False)

    def entries(self):
        """All whole lines; a torn last one is left out. Those who follow ask often: read anew
        is what changed."""
        try:
            found = os.stat(str(self.path))
            mark = found.st_ino, found.st_size, found.st_mtime_ns
            if mark != self._read[0]:
                self._read = mark, _whole(self.path.read_text())
        except OSError:
            return []
        return self._read[1]

    def steps(self):
        """Name → entry of each step reached."""
        return {entry["step"]: entry for entry in self.entries() if not entry.get("progress")}

    def finished(self):
        steps = self.steps()
        return not steps or any(name in steps for name in FINAL)

    def _append(self, line, sync):
        with self.path.open("a") as file:
            file.write(line)
            file.flush()
            if sync:
                os.fsync(file.fileno())

    def try_lock(self):
        """The lock as an open file, or None when a living job holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = (self.folder / "lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return file


def detached(work):
    """Run `work` in a process of its own that outlives this one and its link.

    Open files, and so a held lock, are inherited; returns at once in the caller.
    """
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    _silence()
    with contextlib.suppress(BaseException):
        work()
    os._exit(0)


def _whole(text):
    return [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]


def _line(name, details):
    return json.dumps(dict(details, step=name, time=time.time())) + "\n"


def _sync_folder(folder):
    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _silence():
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
