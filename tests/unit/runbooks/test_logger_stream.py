"""One node's stream when something is not as it should be: it says so, and tries again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import ssh
from evc.pure.inventory import Node
from evc.pure.positions import Position
from evc.pure.samples import FORMAT
from evc.runbooks.init import init
from evc.runbooks.logger import stream as streams
from evc.runbooks.logger.agents import Agents
from evc.runbooks.logger.pace import Pace
from evc.runbooks.logger.record import Item, Known, Reached
from evc.runbooks.logger.stream import Shared, Stream

HELLO = {"boot": "b", "up": 10.0, "time": 0.0, "program": "x", "newest": 1}


def spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *agents: Any) -> tuple[list[Item], bool]:
    """What a stream tells of a node whose agent says these hellos, a connection each; and whether
    another agent is brought to it. One that is an exception is raised by EVC itself."""
    connections = iter(agents)
    monkeypatch.setattr(streams, "RETRY_SECONDS", (0.01, 0.01))

    async def follow(*_: Any) -> AsyncIterator[list[bytes]]:
        agent = next(connections, None)
        if agent is None:
            await asyncio.Event().wait()
        if isinstance(agent, Exception):
            raise agent
        yield [json.dumps({"at": "", "follow": {**HELLO, **agent}}).encode()]

    monkeypatch.setattr(ssh, "follow", follow)

    async def run() -> tuple[list[Item], bool]:
        fleet, queue = init(tmp_path / "fleet"), asyncio.Queue[Item]()
        shared = Shared(fleet, queue, Agents(fleet), lambda *_, **__: None, Pace(), pytest.fail)
        stream = Stream(shared, Node(1, "cam01", "192.0.2.1", 22), Known(Position(), False))
        task = asyncio.create_task(stream.run())
        found = [await asyncio.wait_for(queue.get(), 20.0)]
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return found, bool(shared.agents._wanted)

    return asyncio.run(run())


def test_a_fault_of_evcs_own_ends_no_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (up,), _ = spans(tmp_path, monkeypatch, KeyError("no such key"), {})
    assert isinstance(up, Reached) and up.up


def test_a_fault_that_lasts_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (down,), _ = spans(tmp_path, monkeypatch, *[KeyError("no such key")] * 2)
    assert isinstance(down, Reached) and not down.up
    assert down.reason == "KeyError: 'no such key'"


def test_an_agent_of_a_newer_format_is_refused_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (down,), replaced = spans(tmp_path, monkeypatch, *[{"format": FORMAT + 1}] * 2)
    assert isinstance(down, Reached) and not down.up and replaced
    assert down.reason == f"its agent is of a newer EVC: format {FORMAT + 1}, here {FORMAT}"
