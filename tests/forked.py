"""`evc logger` in a process that was forked: it begins at once, what it needs is loaded already."""

from __future__ import annotations

import multiprocessing
import os

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["__main__", "evc.cli.logger", "evc.runbooks.logger", "tests.forked"])


def log(root: str, log: str) -> None:
    """Log the fleet at `root`, and say what happens in the file `log`; write ten times a second."""
    from evc.cli import evc
    from evc.runbooks import logger

    logger.BATCH_SECONDS = 0.1
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    evc.main(["-C", root, "logger"], prog_name="evc", standalone_mode=False)
