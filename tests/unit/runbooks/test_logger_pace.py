"""The logger's event loop: it gathers what comes, but nothing that is planned comes late for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from evc.runbooks.logger.pace import GATHER_SECONDS, Pace


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def runner(pace: Pace) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=pace.loop) as found:
        yield found


def wake_ups(runner: asyncio.Runner, lines: int) -> int:
    """How often a reader is woken up until it has what comes a byte every few milliseconds."""
    reads, writes = os.pipe()
    woken, received = 0, b""

    async def read() -> None:
        nonlocal woken, received
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def take() -> None:
            nonlocal woken, received
            woken, received = woken + 1, received + os.read(reads, 100)
            if len(received) == lines:
                done.set()

        loop.add_reader(reads, take)
        writer = loop.run_in_executor(None, write)
        await done.wait()
        await writer
        loop.remove_reader(reads)

    def write() -> None:
        for _ in range(lines):
            os.write(writes, b".")
            time.sleep(GATHER_SECONDS / 20)

    runner.run(read())
    os.close(reads)
    os.close(writes)
    return woken


def test_what_comes_is_taken_together(runner: asyncio.Runner) -> None:
    assert wake_ups(runner, 20) < 10


def test_in_a_hurry_each_is_taken_as_it_comes(pace: Pace, runner: asyncio.Runner) -> None:
    pace.hurry()
    assert wake_ups(runner, 20) > 10


def test_a_timer_is_not_late(runner: asyncio.Runner) -> None:
    began = time.monotonic()
    runner.run(asyncio.sleep(GATHER_SECONDS / 10))
    assert time.monotonic() < began + GATHER_SECONDS / 2
