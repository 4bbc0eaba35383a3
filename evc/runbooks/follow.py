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
from evc.pure import observations
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import plays

Entry = dict[str, Any]
OnEntry = Callable[[str, Entry], None]

FINAL = ("done", "failed", "reverted")
TRIES = 5
MAX_ENTRIES = 100_000
# EVC's program gives a sign of life every ten seconds while a job works, however long that takes.
SILENCE_SECONDS = 60.0
LONGEST_SECONDS = 12 * 3600.0


def follow(
    fleet: Fleet, nodes: Mapping[str, Node], started: Mapping[str, Result], on_entry: OnEntry
) -> dict[str, Entry]:
    """The last entry of the job that each node started; `lost` when the link did not come back.

    A node that says nothing, or no sense, has `failed`, and it alone.
    """

    async def everyone() -> list[Entry]:
        return await asyncio.gather(*[one(name) for name in started])

    async def one(name: str) -> Entry:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                return await _to_the_end(fleet, nodes[name], _job(started[name]), on_entry)
        except SshError as error:
            return {"step": "lost", "reason": error.message}
        except EvcError as error:
            return {"step": "failed", "reason": error.message}
        except TimeoutError:
            return {"step": "failed", "reason": f"no end within {LONGEST_SECONDS / 3600:.0f} h"}

    return dict(zip(started, asyncio.run(everyone()), strict=True))


def _job(result: Result) -> tuple[str, str]:
    """Folder and id of the job that a play's task `start` began; raises EvcError."""
    task = result.tasks.get("start")
    if not result.reachable:
        raise SshError(result.message)
    if not result.ok or task is None:
        raise EvcError(result.message or "it did not start")
    answer = observations.started(str(task.get("stdout", "")))
    return answer.folder, answer.job


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
    number = lines = 0
    async for line in _heard(ssh.lines(plays.target(fleet, node), argv)):
        entry = _entry(line)
        number, lines = number + bool(entry), lines + bool(line)
        if lines > MAX_ENTRIES:
            raise EvcError(f"its journal has more than {MAX_ENTRIES:,} entries")
        if entry and number > seen:
            yield entry


async def _heard(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines as they come; raises EvcError when none does for too long."""
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                line = await anext(lines)
        except StopAsyncIteration:
            return
        except TimeoutError:
            why = f"nothing came from it for {SILENCE_SECONDS:.0f} s; it may go on there"
            raise EvcError(why) from None
        yield line


def _entry(line: str) -> Entry | None:
    """An entry of a journal, or None for a sign of life and for nonsense."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("step"), str) else None
