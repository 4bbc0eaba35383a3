"""Ask EVC's program on several nodes at once, by what goes there on its stdin alone.

No argument, no order, whose journal is kept and sent, and no module of Ansible's, which logs what
it gets: secrets may travel here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import plays

NODES_AT_ONCE = 20
MOST_BYTES = 1_000_000
Answer = TypeVar("Answer")


def each(
    fleet: Fleet,
    nodes: Mapping[str, Node],
    command: str,
    texts: Mapping[str, str],
    read: Callable[[str], Answer],
) -> tuple[dict[str, Answer], dict[str, EvcError]]:
    """What the program says to `command` on the nodes that have a text, and why others did not.

    `read` raises EvcError for what makes no sense.
    """
    answers, problems = dict[str, Answer](), dict[str, EvcError]()

    async def everyone() -> None:
        limit = asyncio.Semaphore(NODES_AT_ONCE)
        await asyncio.gather(*[one(nodes[name], limit) for name in texts])

    async def one(node: Node, limit: asyncio.Semaphore) -> None:
        target, argv = plays.target(fleet, node), plays.command(fleet, node, command)
        try:
            async with limit, asyncio.timeout(plays.PATIENCE_SECONDS):
                said = await ssh.output(target, argv, texts[node.name], MOST_BYTES)
            answers[node.name] = read(said)
        except TimeoutError:
            problems[node.name] = EvcError(f"no answer within {plays.PATIENCE_SECONDS} s")
        except EvcError as error:
            problems[node.name] = error

    asyncio.run(everyone())
    return answers, problems
