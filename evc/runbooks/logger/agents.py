"""Nodes whose agent is missing or another release get this one's, in the background.

By a process of its own: what plays need is not kept in memory, and a stop need not wait for them.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import sys
import time
from collections.abc import Sequence

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import generations

GATHER_SECONDS = 1.0
AGAIN_SECONDS = 30.0


class Agents:
    """Brings the agent to nodes, each at most every half minute."""

    def __init__(self, fleet: Fleet) -> None:
        self.program, self.controller = program(), generations.mark(fleet)
        self._fleet, self._wanted = fleet, dict[str, Node]()
        self._tried: dict[str, float] = {}
        self._asked, self._done = asyncio.Event(), asyncio.Condition()

    def bring(self, node: Node) -> None:
        """Have this release's agent brought to `node`, unless that was tried just now."""
        if time.monotonic() >= self._tried.get(node.name, 0.0):
            self._tried[node.name] = time.monotonic() + AGAIN_SECONDS
            self._wanted[node.name] = node
            self._asked.set()

    async def brought(self, node: Node, seconds: float) -> None:
        """Wait so many seconds, or until the agent was brought to somebody."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._done:
                await self._done.wait()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(GATHER_SECONDS)  # most of a fleet asks at once
            names, self._wanted = ",".join(self._wanted), {}
            self._asked.clear()
            words = ["-m", "evc", "-C", str(self._fleet.root), "logger", "--install", "--on", names]
            await _to_its_end(words)
            async with self._done:
                self._done.notify_all()


async def _to_its_end(words: Sequence[str]) -> None:
    """Run EVC; when this is cancelled, that is ended too."""
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdin=null, stdout=null, stderr=null
    )
    try:
        await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()


def program() -> str:
    """The checksum of this release's agent, as the agent itself tells it."""
    agent = fleets.share() / "playbooks" / "files" / "evc_agent.py"
    return f"{binascii.crc32(agent.read_bytes()):08x}"
