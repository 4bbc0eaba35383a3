"""Timing commands in pairs, and the result that goes into the table."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One figure: `ratio` is value / peer_value (medians), `goal` the largest ratio that holds."""

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    goal: float

    @property
    def ratio(self) -> float:
        return self.value / self.peer_value

    @property
    def holds(self) -> bool:
        return self.ratio <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": round(self.ratio, 3), "holds": self.holds}


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def paired(
    ours: Callable[[], object], peer: Callable[[], object], runs: int
) -> tuple[float, float]:
    """Medians of `runs` timings of each, in turn, after one of each that does not count."""
    ours()
    peer()
    times = [(seconds(ours), seconds(peer)) for _ in range(runs)]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times)


def run(command: Sequence[str], **options: Any) -> str:
    """Run a command that must succeed; its stdout."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[:6]}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
