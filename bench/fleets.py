"""A fleet of simulated nodes, and the real `evc logger` process on it, watched."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from evc.doors import fleet as fleets
from evc.doors import ssh, store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init

INTERVAL = 5.0
STORED_SECONDS = 60.0
_LACKING = """
SELECT count(*) AS rows, count(DISTINCT boot_id << 40 | seq) AS lines,
  count(DISTINCT memory_available - seq) AS payloads
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE name = ?
"""


@dataclass
class Watched:
    """A process and its children: CPU seconds used so far, and bytes of memory by second."""

    process: psutil.Process
    pss: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def cpu(self) -> float:
        """CPU seconds of the tree, of children that ended too."""
        used = 0.0
        for one in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                used += times.user + times.system
                used += times.children_user + times.children_system
        return used

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def watch(self) -> None:
        """Note the PSS of the whole tree each second, until `end`."""
        while not self._stop.wait(1.0):
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                self.pss.append(sum(_pss(one.pid) for one in self._tree()))

    def end(self) -> None:
        self._stop.set()


def _pss(process: int) -> int:
    """Bytes of PSS (proc_pid_smaps(5)), with files counted whole.

    Else the simulator, which is no part of it, would take its share of the libraries.
    """
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    size = {key: int(kilobytes) for key, kilobytes in re.findall(r"(\w+): +(\d+) kB", text)}
    return (size["Pss_Anon"] + size["Rss"] - size["Anonymous"]) * 1024


@contextlib.contextmanager
def watched(process: subprocess.Popen[Any]) -> Iterator[Watched]:
    """A process whose memory is noted, told to end at the end."""
    found = Watched(psutil.Process(process.pid))
    thread = threading.Thread(target=found.watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.end()
        thread.join()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Simulated:
    """A fleet folder whose nodes are simulated."""

    fleet: Fleet
    _simulator: subprocess.Popen[str]

    @contextlib.contextmanager
    def logger(self) -> Iterator[Watched]:
        """`evc logger` on it."""
        command = [sys.executable, "-m", "evc", "-C", str(self.fleet.root), "logger"]
        with (self.fleet.root / "logger.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        with watched(process) as found:
            yield found

    @contextlib.contextmanager
    def database(self) -> Iterator[Store]:
        with store.foreign(self.fleet.database) as opened:
            yield opened

    def come_back(self) -> None:
        """Those that were away can be reached from now on."""
        self._write("return")

    def stop_sampling(self) -> dict[str, list[int]]:
        """No more samples; (first, last number) of each node's ring."""
        self._write("stop")
        found: dict[str, list[int]] = json.loads(_stdout(self._simulator).readline())
        return found

    def _write(self, line: str) -> None:
        assert self._simulator.stdin
        self._simulator.stdin.write(f"{line}\n")
        self._simulator.stdin.flush()

    def wait_for_first(self, nodes: int, seconds: float = STORED_SECONDS) -> None:
        """Until a sample of so many nodes is stored; raises RuntimeError when time is up."""
        end, heard = time.monotonic() + seconds, "SELECT count(DISTINCT node_id) FROM sample"
        while time.monotonic() < end:
            time.sleep(0.5)
            with contextlib.suppress(EvcError), self.database() as opened:
                ((found,),) = opened.each(heard)
                if found >= nodes:
                    return
        raise RuntimeError(f"not all of {nodes} nodes were heard in {seconds:.0f} s")

    def wait_for(self, rings: dict[str, list[int]], seconds: float = STORED_SECONDS) -> None:
        """Until the last line of each ring is stored, or time is up."""
        end, left = time.monotonic() + seconds, set(rings)
        while left and time.monotonic() < end:
            time.sleep(0.5)
            with self.database() as opened:
                left = {name for name in left if not _all_in(opened, name, rings[name])}

    def check(self, rings: dict[str, list[int]]) -> tuple[int, int]:
        """How many samples the store lacks of what the nodes measured, and has twice or wrongly."""
        missed = double = 0
        with self.database() as opened:
            for name, (first, last) in rings.items():
                (row,) = opened.rows(_LACKING, (name,))
                missed += last - first + 1 - row["lines"]
                double += row["rows"] - row["lines"] + max(row["payloads"] - 1, 0)
        return missed, double


def _all_in(opened: Store, name: str, ring: list[int]) -> bool:
    row = opened.row("SELECT position FROM logged_node WHERE name = ?", (name,))
    return row is not None and row["position"] == str(ring[1])


def _stdout(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout
    return process.stdout


@contextlib.contextmanager
def simulated(
    nodes: int, seconds: float, away: int = 0, backlog: float = 0.0
) -> Iterator[Simulated]:
    """A fleet folder with so many nodes, gone afterwards; the last `away` come back when told."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as name:
        fleet = init(Path(name) / "fleet")
        public = ssh.ensure_key(fleet.ssh_key, "evc bench")
        plan = {"nodes": nodes, "interval": INTERVAL, "seconds": seconds, "public": public,
                "away": away, "backlog": backlog}  # fmt: skip
        rings = Path(name) / "rings"
        rings.mkdir()
        simulator = _simulator(rings)
        try:
            made = Simulated(fleet, simulator)
            made._write(json.dumps(plan))
            _register(fleet, json.loads(_stdout(simulator).readline()))
            yield made
        finally:
            simulator.terminate()
            simulator.wait()


def _simulator(folder: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "bench.simulator", str(folder)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def _register(fleet: Fleet, found: list[dict[str, Any]]) -> None:
    """As `evc node add` leaves nodes: in the inventory, registered, their host keys pinned."""
    nodes = [Node(0, one["name"], "127.0.0.1", one["port"]) for one in found]
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        inventory.save(opened, nodes)
        with opened.transaction():
            for node in nodes:
                inventory.remember(opened, node.name, {"architecture": "aarch64"}, registered=True)
    with fleet.known_hosts.open("a") as file:
        for one in found:
            algorithm, key = one["host_key"].split()[:2]
            file.write(f"{ssh.pattern('127.0.0.1', one['port'])} {algorithm} {key}\n")
