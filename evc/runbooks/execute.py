"""Run a program on nodes, all at once, as EVC's user."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKeyRefused
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome
from evc.runbooks import host_keys, plays

NODES_AT_ONCE = 20
OnLine = Callable[[str, str], None]


def execute(
    fleet: Fleet, nodes: Sequence[Node], argv: Sequence[str], timeout: float, on_line: OnLine
) -> dict[str, NodeOutcome]:
    """Run `argv` on each node, at most `timeout` seconds; its output goes to `on_line`."""
    strangers: list[Node] = []

    async def everyone() -> list[NodeOutcome]:
        limit = asyncio.Semaphore(NODES_AT_ONCE)
        return await asyncio.gather(*[one(node, limit) for node in nodes])

    async def one(node: Node, limit: asyncio.Semaphore) -> NodeOutcome:
        if node.unusable:
            remedy = "" if node.revoked else f": evc node add {node.name}"
            return NodeOutcome("pending", reason=f"{node.unusable}{remedy}")
        async with limit:
            began = time.monotonic()
            try:
                await _run(fleet, node, argv, timeout, on_line)
            except HostKeyRefused as error:
                strangers.append(node)
                return NodeOutcome("failed", reason=error.message)
            except EvcError as error:
                return NodeOutcome("failed", reason=error.message)
            return NodeOutcome("done", seconds=time.monotonic() - began)

    outcomes = dict(zip([node.name for node in nodes], asyncio.run(everyone()), strict=True))
    for name, reason in host_keys.changes(fleet, strangers).items():
        outcomes[name] = replace(outcomes[name], reason=reason)
    return outcomes


async def _run(
    fleet: Fleet, node: Node, argv: Sequence[str], timeout: float, on_line: OnLine
) -> None:
    try:
        async with asyncio.timeout(timeout):
            async for line in ssh.lines(plays.target(fleet, node), argv, all_output=True):
                on_line(node.name, line)
    except TimeoutError:
        remedy = "--timeout SECONDS"
        raise EvcError(f"not done within {timeout:.0f} s; it may go on there", remedy) from None
