"""How long `evc --help` takes, against what no Click program can be faster than."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.measure import Result, paired, run

RUNS = 20


def bench() -> Result:
    evc = str(Path(sys.executable).with_name("evc"))
    ours, peer = paired(
        lambda: run([evc, "--help"]), lambda: run([sys.executable, "-c", "import click"]), RUNS
    )
    return Result("cli_start", ours, "s", 'python -c "import click"', peer, 2.0)
