"""What the agent costs a node, against node_exporter (Debian's package) scraped as often."""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Result, free_port, node_exporter
from evc.doors import fleet as fleets

PEER = "node_exporter, a scrape"
INTERVAL = 5.0
# CPU is the difference of two runs: what starting costs is in both.
SHORT_SECONDS, LONG_SECONDS = 17.5, 137.5
SAMPLES = (LONG_SECONDS - SHORT_SECONDS) / INTERVAL


@dataclass(frozen=True)
class Cost:
    """CPU seconds of whole processes, and their memory in bytes just before their end."""

    cpu: float
    memory: int


def cpu() -> Result:
    ours, peer = _measured()
    return Result("agent_cpu_vs_node_exporter", ours.cpu, "s", PEER, peer.cpu, 0.25)


def pss() -> Result:
    ours, peer = _measured()
    return Result("agent_pss", ours.memory, "B", "node_exporter", peer.memory, 1.0)


@functools.cache
def _measured() -> tuple[Cost, Cost]:
    """CPU a sample, memory; of the agent (sampler and follower) and of node_exporter."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        runs = [_together(Path(folder), span) for span in (SHORT_SECONDS, LONG_SECONDS)]
    (ours, peer), (ours_long, peer_long) = runs
    return _difference(ours, ours_long), _difference(peer, peer_long)


def _difference(short: Cost, long: Cost) -> Cost:
    return Cost((long.cpu - short.cpu) / SAMPLES, long.memory)


def _together(folder: Path, span: float) -> tuple[Cost, Cost]:
    """Both at the same time for `span` seconds: ours by itself, the peer by scrapes."""
    port = free_port()
    ours = _agent(Path(tempfile.mkdtemp(dir=folder)))
    peer = [_start(node_exporter(folder, port))]
    end = time.monotonic() + span
    while time.monotonic() < end - INTERVAL:
        time.sleep(INTERVAL)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            answer.read()
    time.sleep(max(0.0, end - time.monotonic()))
    return _ended(ours), _ended(peer)


def _agent(home: Path) -> list[subprocess.Popen[bytes]]:
    agent = home / "evc_agent.py"
    shutil.copy(fleets.share() / "playbooks" / "files" / "evc_agent.py", agent)
    environment = {**os.environ, "EVC_NODE_HOME": str(home)}
    begin = functools.partial(_start, environment=environment)
    python = ["/usr/bin/python3", str(agent)]  # a node's, as the peer is Debian's
    sampler = begin([*python, "sample", "--interval", str(INTERVAL), "--no-containers"])
    return [sampler, begin([*python, "follow"])]


def _start(
    command: list[str], environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=null, stderr=null, env=environment)


def _ended(processes: list[subprocess.Popen[bytes]]) -> Cost:
    memory = _memory([process.pid for process in processes])
    used = 0.0
    for process in processes:
        process.send_signal(signal.SIGKILL)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        used += usage.ru_utime + usage.ru_stime
    return Cost(used, memory)


def _memory(processes: Sequence[int]) -> int:
    """Bytes that processes have together (proc_pid_smaps(5)): their own, and of files the pages.

    A file that several of them have counts once, and whole: with plain PSS whoever else runs Python
    on this machine, as this bench does, would take a share of ours.
    """
    own, files = 0, dict[str, int]()
    for process in processes:
        for mapping, size, anonymous in _mappings(process):
            own += anonymous
            files[mapping] = max(files.get(mapping, 0), size - anonymous)
    return own + sum(files.values())


def _mappings(process: int) -> Iterator[tuple[str, int, int]]:
    """(offset and file, bytes in memory, those that are no file's) of each mapping."""
    text = Path(f"/proc/{process}/smaps").read_text()
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        size = {key: int(number) * 1024 for key, number in re.findall(r"(\w+): +(\d+) kB", body)}
        _, mode, *place = head.split()
        yield f"{mode} {place}", size["Rss"], size["Anonymous"]
