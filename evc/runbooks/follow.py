"""Follow jobs on nodes by their journals, through interruptions of the link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from evc.doors import ssh
from evc.doors.ansible import Result
from evc.doors.fleet import Fleet
from evc.doors.ssh import SshError
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import plays

Entry = dict[str, Any]
OnEntry = Callable[[str, Entry], None]

FINAL = ("done", "failed", "reverted")
TRIES = 5
MAX_ENTRIES = 100_000


def follow(
    fleet: Fleet, nodes: Mapping[str, Node], started: Mapping[str, Result], on_entry: OnEntry
) -> dict[str, Entry]:
    """The last entry of the job that each node started; `lost` when the link did not come back."""

    async def everyone() -> list[Entry]:
        return await asyncio.gather(*[one(name) for name in started])

    async def one(name: str) -> Entry:
        try:
            return await _to_the_end(fleet, nodes[name], _job(started[name]), on_entry)
        except EvcError as error:
            return {"step": "lost", "reason": error.message}

    return dict(zip(started, asyncio.run(everyone()), strict=True))


def _job(result: Result) -> tuple[str, str]:
    """Folder and id of the job that a play's task `start` began."""
    task = result.tasks.get("start")
    if not result.ok or task is None:
        raise EvcError(result.message or "it did not start")
    answer = json.loads(str(task["stdout"]))
    return str(answer["folder"]), str(answer["job"])


async def _to_the_end(fleet: Fleet, node: Node, job: tuple[str, str], on_entry: OnEntry) -> Entry:
    seen = 0
    for attempt in range(TRIES):
        try:
            async for entry in _entries(fleet, node, job, seen):
                seen += 1
                on_entry(node.name, entry)
                if entry["step"] in FINAL and not entry.get("progress"):
                    return entry
        except SshError:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(2**attempt)  # the job goes on without us; the link may come back
    raise EvcError("the journal ended without a last entry")


async def _entries(
    fleet: Fleet, node: Node, job: tuple[str, str], seen: int
) -> AsyncIterator[Entry]:
    """The journal's entries after the first `seen`; what is no entry is left out."""
    argv = plays.command(fleet, node, "follow", *job)
    number = 0
    async for line in ssh.lines(plays.target(fleet, node), argv):
        number += 1
        if seen < number < MAX_ENTRIES:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("step"), str):
                yield entry
