"""Finish or revert swaps whose program died, as soon as the engine answers; keep the agent running.

Runs from boot on (systemd, else cron). One process a node: a second one ends at once.
"""

import contextlib
import fcntl
import os
import sys
import time

import engine
import home
import sampling
import swap
from journal import Journal

POLL_SECONDS = 2.0


def main(_arguments):
    lock = (home.HOME / "watch.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0
    program = os.stat(sys.argv[0]).st_mtime_ns
    while True:
        with contextlib.suppress(OSError, ValueError, KeyError):
            recover_all()
        with contextlib.suppress(OSError):
            sampling.keep()
        if os.stat(sys.argv[0]).st_mtime_ns != program:  # brought up to date
            os.execv(sys.executable, [sys.executable, *sys.argv])
        time.sleep(POLL_SECONDS)


def recover_all():
    """Recover each journal that is unfinished and whose job nobody works on."""
    for folder in sorted((home.HOME / "models").glob("*")):
        journal = Journal(folder)
        if journal.finished():
            continue
        lock = journal.try_lock()
        if lock:
            with lock, contextlib.suppress(engine.EngineError):
                if not journal.finished():
                    swap.recover(journal)
