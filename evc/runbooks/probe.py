"""Ask nodes what is there really: EVC's program on all of them at once.

No play: Ansible takes a second to start, and this comes before and after whatever is done.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKeyRefused, ProgramFailed, SshError
from evc.pure import clocks, observations
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import Word
from evc.runbooks import generations, host_keys, plays

AT_ONCE = 50


@dataclass(frozen=True)
class Silent:
    """A node that could not be asked, and why; `outcome` is what that means for a rollout."""

    reason: str
    reachable: bool = False
    outcome: Word = "pending"


Answer = Observation | Silent


def probe(
    fleet: Fleet,
    nodes: Sequence[Node],
    images: Mapping[str, Sequence[str]] | None = None,
    registries: Sequence[str] = (),
) -> dict[str, Answer]:
    """Each node's answer; `images` are the digests to look for, by node.

    `registries` are the places (HOST:PORT) that the nodes try to reach. Raises BadInput when
    another controller has taken the fleet over.
    """
    if not nodes:
        return {}
    orders = {
        node.name: {
            "images": list((images or {}).get(node.name, [])),
            "registries": list(registries),
        }
        for node in nodes
    }
    strangers: list[Node] = []
    answers = asyncio.run(_everyone(fleet, nodes, orders, strangers))
    seen = {name: one.controller for name, one in answers.items() if isinstance(one, Observation)}
    generations.compare(fleet, seen)
    changes = host_keys.changes(fleet, strangers)
    return answers | {name: Silent(reason, outcome="failed") for name, reason in changes.items()}


async def _everyone(
    fleet: Fleet, nodes: Sequence[Node], orders: Mapping[str, Any], strangers: list[Node]
) -> dict[str, Answer]:
    """Each node's answer; those that show another host key than the pinned one are noted."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(node: Node) -> Answer:
        async with limit:
            try:
                return await _ask(fleet, node, orders[node.name])
            except SshError as error:
                strangers.extend([node] if isinstance(error, HostKeyRefused) else [])
                return Silent(f"unreachable: {error.message}")

    return dict(zip(orders, await asyncio.gather(*[one(node) for node in nodes]), strict=True))


async def _ask(fleet: Fleet, node: Node, order: Mapping[str, Any]) -> Answer:
    """What EVC's program says there; raises SshError when the node was not reached."""
    argv, asked = plays.command(fleet, node, "probe"), time.time()
    try:
        async with asyncio.timeout(plays.PATIENCE_SECONDS):
            text = await ssh.output(
                plays.target(fleet, node), argv, json.dumps(order), observations.MAX_CHARACTERS
            )
    except TimeoutError:  # putting it back would hang as well
        why = f"EVC's program did not answer within {plays.PATIENCE_SECONDS} s"
        remedy = "`evc node exec` shows whether the machine hangs, `evc node add` installs it anew"
        return Silent(f"{why}: {remedy}", outcome="failed")
    except ProgramFailed as error:
        return Silent(f"EVC's program does not run there: {error.message}", reachable=True)
    return _read(text, asked)


def _read(text: str, asked: float) -> Answer:
    try:
        seen = observations.read(text)
    except EvcError as error:
        return Silent(error.message, reachable=True)
    off = clocks.offset(seen.clock, asked, time.time())
    return seen.model_copy(update={"clock_offset": round(off, 1)})
