"""Timing commands in pairs, and the result that goes into the table."""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COLLECTORS = ("cpu", "loadavg", "meminfo", "netdev", "diskstats", "filesystem", "hwmon",
              "thermal_zone", "time")  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One figure: `ratio` is value / peer_value (medians), `goal` the largest ratio that holds.

    `sound` says whether all else is true that it needs to count.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    goal: float
    sound: bool = True

    @property
    def ratio(self) -> float:
        return self.value / self.peer_value

    @property
    def holds(self) -> bool:
        return self.sound and self.ratio <= self.goal

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


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def packaged(package: str, folder: Path) -> str:
    """A program of Debian's package of its name: the one there is, else fetched, not installed."""
    if found := shutil.which(package):
        return found
    run(["apt-get", "download", package], cwd=folder)
    (file,) = folder.glob(f"{package}_*.deb")
    run(["dpkg", "-x", str(file), str(folder / package)])
    return str(folder / package / "usr" / "bin" / package)


def node_exporter(folder: Path, port: int) -> list[str]:
    """The argv of Debian's node_exporter with the figures of a sample, no more and no less."""
    program = packaged("prometheus-node-exporter", folder)
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--web.disable-exporter-metrics",
               "--collector.disable-defaults"]  # fmt: skip
    return [*command, *[f"--collector.{one}" for one in COLLECTORS]]
