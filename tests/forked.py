"""`evc` in a process that was forked: it begins at once, what it needs is loaded already.

The real command line, past the half second of CPU that Python takes to load it.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["__main__", "ansible_runner", "evc.cli.config", "evc.cli.deploy", "evc.cli.doctor",
     "evc.cli.lab", "evc.cli.logger", "evc.cli.model", "evc.cli.node", "evc.cli.predict",
     "evc.cli.registry", "evc.cli.run", "evc.cli.status", "evc.cli.sync", "evc.runbooks.logger",
     "httpcore", "tests.forked"]
)  # fmt: skip


def run(
    words: Sequence[str], seconds: float = 300, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`evc` to its end, as `subprocess.run` does it; raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        into, out, err = files = [Path(folder) / name for name in ("in", "out", "err")]
        into.write_text(stdin)
        with_ = {**os.environ, **environment}
        process = FORKS.Process(target=_evc, args=(words, Path.cwd(), with_, files))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["evc", *words], seconds, out.read_bytes())
        return subprocess.CompletedProcess(
            ["evc", *words], process.exitcode, out.read_text(), err.read_text()
        )


def _evc(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[Path]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # by the environment
    for number, path in enumerate(files):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    sys.stdin = open(0)  # noqa: SIM115  # multiprocessing closed the one there was
    sys.argv = ["evc", *words]
    from evc.cli import main

    main()


def log(root: str, log: str, *words: str) -> None:
    """Log the fleet at `root`, and say what happens in the file `log`; write ten times a second.

    It looks after no certificate: that takes ten times as much CPU as all else at its start.
    """
    from evc.cli import evc
    from evc.runbooks import logger
    from evc.runbooks.logger import jobs

    logger.BATCH_SECONDS = 0.1
    jobs.AT_ONCE = ("rollups", "places")
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    sys.exit(evc.main(["-C", root, "logger", *words], prog_name="evc", standalone_mode=False))
