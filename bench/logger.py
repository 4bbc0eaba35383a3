"""What the logger costs its controller, against Prometheus and node_exporter (Debian's packages).

Both get 200 nodes every 5 s. Ours is the real `evc logger` on the SSH servers of `bench.simulator`;
counted is its process tree: receiving, parsing, storing, alerts, and one round of rollups, which
come every five minutes, as long as a run. Of Prometheus, its own process is counted; it has two
kinds of targets:

- node_exporter, one process for all, with no collectors but those that the same figures come from.
  They bring more than a sample has: about 220 series a node.
- `bench.exporter` (the figures that end in `_same_series`): exactly as many series a node as a
  sample has numbers, which nobody's node_exporter does.

Runs alternate. A run of ours counts only when every sample was stored, once; one of Prometheus only
when it has every series and scrape.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.exporter import page
from bench.fleets import INTERVAL, Watched, simulated, watched
from bench.measure import Result, free_port, node_exporter, packaged

NODES, ROUNDS = 200, 3
SETTLE_SECONDS, WINDOW_SECONDS = 20.0, 300.0
PEER_SECONDS = 120.0  # its rate is even, and its memory grows: shorter is in its favour
PEER, SAME = "Prometheus, node_exporter", "Prometheus, as many series"
MORE_SECONDS = 300.0  # for what is before and behind a window
LACKING = 0.02  # of the scrapes, that may lie on the other side of the window's ends
_CONFIG = """
global: {scrape_interval: 5s, scrape_timeout: 5s}
scrape_configs: [{job_name: node, static_configs: [%s]}]
"""
_TARGET = '{targets: ["127.0.0.1:%d"], labels: {instance: node%d, __param_node: "%d"}}'


@dataclass(frozen=True)
class Cost:
    """CPU seconds a sample of a node, and the most bytes of PSS."""

    cpu: float
    pss: int


@dataclass(frozen=True)
class Run:
    """What a run of the logger cost, and what is wrong with what it stored."""

    cost: Cost
    missed: int
    double: int
    pss: tuple[int, ...]  # bytes, by second

    @property
    def whole(self) -> bool:
        return not self.missed and not self.double


def cpu() -> Result:
    ours, peer, _, whole = _measured()
    return Result("logger_cpu_vs_prometheus", ours.cpu, "s", PEER, peer.cpu, 0.6, whole)


def pss() -> Result:
    ours, peer, _, whole = _measured()
    return Result("logger_pss", ours.pss, "B", PEER, peer.pss, 0.5, whole)


def cpu_same_series() -> Result:
    ours, _, peer, whole = _measured()
    return Result("logger_cpu_same_series", ours.cpu, "s", SAME, peer.cpu, 0.6, whole)


def pss_same_series() -> Result:
    ours, _, peer, whole = _measured()
    return Result("logger_pss_same_series", ours.pss, "B", SAME, peer.pss, 0.5, whole)


@functools.cache
def _measured() -> tuple[Cost, Cost, Cost, bool]:
    """Medians: ours, Prometheus's on either kind of targets; whether ours stored all, once."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as name:
        folder, runs, peers = Path(name), [], ([], [])
        program = packaged("prometheus", folder)
        for _ in range(ROUNDS):
            runs.append(logger(NODES, WINDOW_SECONDS))
            for costs, source in zip(peers, (_node_exporter, _same_figures), strict=True):
                with source(folder) as (port, series):
                    costs.append(_prometheus(program, port, series))
    ours = [run.cost for run in runs]
    peer, same = map(_median, peers)
    return _median(ours), peer, same, all(run.whole for run in runs)


def _median(costs: list[Cost]) -> Cost:
    cpu, pss = [one.cpu for one in costs], [one.pss for one in costs]
    return Cost(statistics.median(cpu), int(statistics.median(pss)))


def logger(nodes: int, seconds: float) -> Run:
    """The logger on so many nodes for so long."""
    with simulated(nodes, seconds + MORE_SECONDS) as fleet:
        with fleet.logger() as process:
            fleet.wait_for_first(nodes)
            cost = _cost(process, nodes, seconds)
            rings = fleet.stop_sampling()
            fleet.wait_for(rings)
        return Run(cost, *fleet.check(rings), tuple(process.pss))


def _cost(process: Watched, nodes: int, seconds: float) -> Cost:
    """What `seconds` cost, once it is at work."""
    time.sleep(SETTLE_SECONDS)
    before = process.cpu()
    time.sleep(seconds)
    return Cost((process.cpu() - before) / (nodes * seconds / INTERVAL), max(process.pss))


def _prometheus(program: str, source: int, series: int) -> Cost:
    """Prometheus alone, on NODES targets on a port with so many series each."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        port = free_port()
        with watched(_scraper(program, Path(folder), source, port)) as process:
            cost = _cost(process, NODES, PEER_SECONDS)
            _check(port, series)
    return cost


@contextlib.contextmanager
def _same_figures(_folder: Path) -> Iterator[tuple[int, int]]:
    """The port of all nodes' pages, with a series for each number of a sample; how many."""
    command = [sys.executable, "-m", "bench.exporter"]
    with _running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield int(process.stdout.readline()), page(0).count(b"\n")


@contextlib.contextmanager
def _node_exporter(folder: Path) -> Iterator[tuple[int, int]]:
    """The same of Debian's node_exporter, on this machine."""
    port = free_port()
    with _running(node_exporter(folder, port), stderr=subprocess.DEVNULL):
        yield port, _series(port)


@contextlib.contextmanager
def _running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _series(port: int) -> int:
    """How many node_* series a page has, once there is one."""
    where = f"http://127.0.0.1:{port}/metrics"
    for _ in range(100):
        with contextlib.suppress(OSError), urllib.request.urlopen(where) as answer:
            return len(re.findall(rb"^node_", answer.read(10_000_000), re.MULTILINE))
        time.sleep(0.1)
    raise RuntimeError("node_exporter does not answer")


def _scraper(program: str, folder: Path, source: int, port: int) -> subprocess.Popen[bytes]:
    targets = ", ".join(_TARGET % (source, node, node) for node in range(NODES))
    (folder / "prometheus.yml").write_text(_CONFIG % targets)
    command = [program, f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=null, stderr=null)


def _check(port: int, series: int) -> None:
    """Raise when Prometheus lacks series or scrapes."""
    wanted, scrapes = NODES * series, NODES * PEER_SECONDS / INTERVAL
    found = _asked(port, 'count({__name__=~"node_.+"})')
    came = _asked(port, f"sum(sum_over_time(up[{PEER_SECONDS:.0f}s]))")
    if found < wanted or came < scrapes * (1 - LACKING):
        raise RuntimeError(f"Prometheus has {found}/{wanted} series, {came}/{scrapes} scrapes")


def _asked(port: int, query: str) -> float:
    where = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(where, timeout=30.0) as answer:
        (one,) = json.loads(answer.read(1_000_000))["data"]["result"]
    return float(one["value"][1])
