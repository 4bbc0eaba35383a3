"""The logger: a stream from every registered node, and one writer that stores what they send.

streams → a bounded queue → the writer. What the writer cannot take stays on the nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from evc.doors.fleet import Fleet
from evc.doors.store import Store, StoreError
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks.logger.agents import Agents
from evc.runbooks.logger.jobs import Jobs
from evc.runbooks.logger.metered import Meter
from evc.runbooks.logger.pace import Pace
from evc.runbooks.logger.record import Item, Left, Recorder
from evc.runbooks.logger.stream import Say, Shared, Stream

T = TypeVar("T")

LOCK = "logger"
QUEUE_LINES, BATCH_LINES = 5000, 2000
BATCH_SECONDS = 1.0
INVENTORY_SECONDS = 10.0
HEARTBEAT_SECONDS = 30.0
FULL_SECONDS = 5.0
FAREWELL_SECONDS = 0.5
ONCE_SECONDS = 120.0


@dataclass(frozen=True)
class Options:
    """How long to log: for ever, so many seconds, or until each node was heard once."""

    duration: float | None = None
    once: bool = False


def run(
    fleet: Fleet, store: Store, names: Collection[str] | None, options: Options, say: Say
) -> dict[str, bool]:
    """Log until told to stop (SIGTERM, SIGINT); by node whether it was heard.

    `names` are the nodes, all registered ones when None. Raises Locked when another one logs.
    """
    _room_for_connections()
    pace = Pace()
    with fleet.lock(LOCK), asyncio.Runner(loop_factory=pace.loop) as runner:
        return runner.run(Logger(fleet, store, names, options, say, pace).run())


def _room_for_connections() -> None:
    """As many open files as this process may have: shells and systemd begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Logger:
    """The running logger."""

    def __init__(
        self,
        fleet: Fleet,
        store: Store,
        names: Collection[str] | None,
        options: Options,
        say: Say,
        pace: Pace,
    ) -> None:
        self._fleet, self._store, self._names = fleet, store, names
        self._options, self._say, self._pace = options, say, pace
        self._recorder = Recorder(store)
        self._streams: dict[str, tuple[Stream, asyncio.Task[None]]] = {}
        self._database = asyncio.Lock()  # a connection is one thread's at a time
        self._stored = time.monotonic()  # when the database took something last

    async def run(self) -> dict[str, bool]:
        """From the first connection to the last row; see `logger.run`."""
        config = self._fleet.config()
        jobs = Jobs(self._fleet, config, self._say, lambda: time.monotonic() - self._stored)
        queue: asyncio.Queue[Item] = asyncio.Queue(QUEUE_LINES)
        self._budget = config.metered.budget
        agents = Agents(self._fleet)
        stop = self._told_to_stop()
        gave_up: list[BadInput] = []

        def give_up(error: BadInput) -> None:
            gave_up.append(error)
            stop.set()

        self._shared = Shared(self._fleet, queue, agents, self._say, self._pace, give_up)
        await self._look()
        self._say("logging", nodes=len(self._streams))
        aside = [asyncio.create_task(one) for one in (agents.run(), self._inventory())]
        writer = asyncio.create_task(self._write(queue, stop))
        writer.add_done_callback(lambda _: stop.set())  # it ends early when the file is damaged
        jobs.start()
        await self._end(stop)
        stop.set()
        self._pace.hurry()
        await _ended([*aside, *(task for _, task in self._streams.values())])
        try:
            await writer
        finally:
            jobs.end()
        self._say("stopped")
        if gave_up:
            raise gave_up[0]
        return {name: stream.heard for name, (stream, _) in self._streams.items()}

    def _told_to_stop(self) -> asyncio.Event:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        return stop

    async def _end(self, stop: asyncio.Event) -> None:
        """Wait for what ends it."""
        seconds = ONCE_SECONDS if self._options.once else self._options.duration
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
        if self._options.once:
            waiting.append(asyncio.create_task(self._everyone()))
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def _everyone(self) -> None:
        await asyncio.gather(*[stream.settled.wait() for stream, _ in self._streams.values()])

    async def _inventory(self) -> None:
        """Nodes that come, go or move, are seen."""
        while True:
            await asyncio.sleep(INVENTORY_SECONDS)
            try:
                await self._look()
            except Exception as error:  # the next look may go well
                self._say("inventory", level="error", reason=str(error))

    async def _look(self) -> None:
        async with self._database:
            wanted = {node.name: node for node in self._wanted()}
            same = {
                name
                for name, (stream, _) in self._streams.items()
                if name in wanted and _place(stream.node) == _place(wanted[name])
            }
            new = wanted.keys() - same
            known = {name: self._recorder.known(name) for name in new}
            meters = {name: self._meter(wanted[name]) for name in new}
        for name in self._streams.keys() - same:
            stream, task = self._streams.pop(name)
            task.cancel()
            await asyncio.wait([task])
            if name in wanted:  # what is queued is not in the database yet
                known[name] = replace(known[name], position=stream.position)
            else:
                await self._shared.queue.put(Left(name, time.time()))
        for name in new:
            stream = Stream(self._shared, wanted[name], known[name], meters[name])
            self._streams[name] = (stream, asyncio.create_task(stream.run()))

    def _meter(self, node: Node) -> Meter | None:
        """What counts the bytes of a node's link, if they are paid for."""
        if not node.metered:
            return None
        return Meter(node.name, self._budget, self._recorder.carried, self._shared.queue)

    def _wanted(self) -> list[Node]:
        nodes = [node for node in inventory.everyone(self._store) if node.registered]
        return [node for node in nodes if self._names is None or node.name in self._names]

    async def _write(self, queue: asyncio.Queue[Item], stop: asyncio.Event) -> None:
        """Store what comes, many at a time, until told to stop and nothing is left."""
        beat = time.monotonic()
        while not (stop.is_set() and queue.empty()):
            if queue.qsize() < BATCH_LINES:
                await _pause(BATCH_SECONDS, stop)
            batch = [queue.get_nowait() for _ in range(min(queue.qsize(), BATCH_LINES))]
            if batch:
                await self._store_it(batch, stop)
            if time.monotonic() > beat + HEARTBEAT_SECONDS:
                beat = time.monotonic()
                await self._seen()
        await self._seen()

    async def _seen(self) -> None:
        """The heartbeat of reachability; one that is not stored is made up for by the next."""
        try:
            await self._in_thread(self._recorder.seen, time.time())
        except StoreError as error:
            self._cannot_store(error)

    async def _in_thread(self, work: Callable[[T], None], value: T) -> None:
        """Write in a thread, so that a slow disk stops no stream."""
        async with self._database:
            await asyncio.to_thread(work, value)
            self._stored = time.monotonic()

    async def _store_it(self, batch: list[Item], stop: asyncio.Event) -> None:
        """Try until the disk takes it; meanwhile the queue fills, and the nodes keep the rest."""
        while True:
            try:
                await self._in_thread(self._recorder.write, batch)
                return
            except StoreError as error:
                self._cannot_store(error)
                if stop.is_set():
                    raise
                await _pause(FULL_SECONDS, stop)

    def _cannot_store(self, error: StoreError) -> None:
        self._say("cannot store", reason=error.message, level="error")


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _place(node: Node) -> tuple[str, int, str, str, bool, bool]:
    return node.address, node.port, node.jump, node.tunnel, node.local, node.metered


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait for them, but not long: a connection may hang."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=FAREWELL_SECONDS)
