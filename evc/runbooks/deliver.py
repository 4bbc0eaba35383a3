"""Give nodes the files of their settings, through EVC's own SSH connection.

Not in an order, whose journal is kept and sent, nor by Ansible, whose modules log what they get.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.plan import Wish
from evc.runbooks import plays

NODES_AT_ONCE = 20


def files(fleet: Fleet, nodes: Mapping[str, Node], wishes: Mapping[str, Wish]) -> dict[str, str]:
    """Send each node the files of its wish; node → what went wrong, for those that lack them."""

    async def everyone() -> list[str]:
        limit = asyncio.Semaphore(NODES_AT_ONCE)
        return await asyncio.gather(*[one(name, limit) for name in wishes])

    async def one(name: str, limit: asyncio.Semaphore) -> str:
        async with limit:
            try:
                async with asyncio.timeout(plays.PATIENCE_SECONDS):
                    await _send(fleet, nodes[name], wishes[name])
            except EvcError as error:
                return f"its settings did not get there: {error.message}"
            except TimeoutError:
                seconds = plays.PATIENCE_SECONDS
                return f"its settings did not get there within {seconds} s; `evc run` tries again"
        return ""

    problems = dict(zip(wishes, asyncio.run(everyone()), strict=True))
    return {name: problem for name, problem in problems.items() if problem}


async def _send(fleet: Fleet, node: Node, wish: Wish) -> None:
    (volume,) = [one.name for one in wish.volumes if one.kind == "settings"]
    content = {name: value.reveal() for name, value in wish.files.items()}
    text = json.dumps({"model": wish.model, "volume": volume, "files": content})
    argv = plays.command(fleet, node, "settings")
    async for _ in ssh.lines(plays.target(fleet, node), argv, stdin=text):
        pass
