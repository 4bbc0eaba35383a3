"""One node's stream: a connection, its agent's lines, and another connection when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure import samples
from evc.pure.clocks import Clock, Moment, Now
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.minutes import Unzipped
from evc.pure.samples import FORMAT, Gap, Hello, Line, Sample, Silence
from evc.runbooks import generations, plays
from evc.runbooks.logger.agents import Agents
from evc.runbooks.logger.metered import METERED, Meter, UsedUp
from evc.runbooks.logger.pace import Pace
from evc.runbooks.logger.record import Item, Known, Reached, Received

HANDSHAKES = 30  # at once: more of them make sshd on a jump host refuse, and eat the controller
DEADLINE_SECONDS = 90.0  # an agent says something every 30 s, though it has no sample
RETRY_SECONDS = (1.0, 60.0)
SILENT_SECONDS = 60.0
UNREADABLE, REPLAYED, RESET = "unreadable", "replayed or reordered", "reset"

Say = Callable[..., None]


@dataclass
class Shared:
    """What all streams have in common."""

    fleet: Fleet
    queue: asyncio.Queue[Item]
    agents: Agents
    say: Say
    pace: Pace
    give_up: Callable[[BadInput], None]  # of the whole logger
    handshakes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDSHAKES))
    retries: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HANDSHAKES))


class Stream:
    """Receives from one node, for ever; with a `meter` by minutes, compressed."""

    def __init__(
        self, shared: Shared, node: Node, known: Known, meter: Meter | None = None
    ) -> None:
        self.node, self.position, self._meter = node, known.position, meter
        self.settled = asyncio.Event()  # a sample came, or it is known that none will
        self.heard = False
        self._shared = shared
        self._clock: Clock | None = None
        self._up: bool | None = None
        self._failures = int(known.down)  # so that it does not stand in the way of the others

    async def run(self) -> None:
        """Until it is cancelled."""
        await asyncio.sleep(random.uniform(0.0, 0.5))  # not all in the same instant
        while True:
            try:
                await self._connection()
            except BadInput as error:  # this controller must not act any more
                self._shared.give_up(error)
                return
            except UsedUp as error:
                self.settled.set()
                await self._down(error.message)
                await asyncio.sleep(error.seconds)
            except EvcError as error:
                await self._broken(error.message)
            except Exception as error:  # a fault of EVC's own costs this connection, not the stream
                reason = f"{type(error).__name__}: {error}"
                self._shared.say("fault", self.node.name, level="error", reason=reason)
                await self._broken(reason)

    async def _connection(self) -> None:
        """One connection, to its end; raises EvcError."""
        node, fleet = self.node, self._shared.fleet
        words = METERED if self._meter else []
        argv = plays.agent(fleet, node, "follow", "--after", str(self.position), *words)
        self._clock, self._unzipped = None, Unzipped()
        self._shared.pace.hurry()
        # Those that failed wait for each other, not in the way of those that will answer.
        gate = self._shared.retries if self._failures else self._shared.handshakes
        target = plays.target(fleet, node)
        target = target.counted(self._meter.wire) if self._meter else target
        lines = ssh.follow(target, argv, gate, DEADLINE_SECONDS)
        with self._meter or contextlib.nullcontext():
            async with contextlib.aclosing(lines):
                async for some in lines:
                    for text in some:
                        await (self._unzip(text) if self._meter else self._take(text))

    async def _unzip(self, text: bytes) -> None:
        assert self._meter
        try:
            lines = self._unzipped.lines(text)
        except ValueError as error:  # it is one stream: nothing after it can be read either
            await self._drop(UNREADABLE)
            raise EvcError(f"its agent's compressed lines cannot be read: {error}") from None
        for line in lines:
            await self._take(line)
        self._meter.count()

    async def _take(self, text: bytes) -> None:
        try:
            if len(text) > samples.MAX_LINE:
                raise ValueError("too long")
            line = samples.read(text)
        except ValueError:
            await self._drop(UNREADABLE)
            return
        if isinstance(line.what, Hello):
            await self._begin(line, line.what)
        elif self._clock is None:
            raise EvcError("its agent does not begin with its clocks")
        elif isinstance(line.what, Sample | Gap):
            await self._keep(line, line.what, self._clock)
        else:
            await self._silence(line, line.what)

    async def _begin(self, line: Line, hello: Hello) -> None:
        """The agent says its clocks: first of all, and now and then, since clocks drift."""
        generations.compare(self._shared.fleet, {self.node.name: hello.controller})
        agents = self._shared.agents
        if hello.program != agents.program or hello.controller != agents.controller:
            agents.bring(self.node)
        if hello.format > FORMAT:
            raise EvcError(f"its agent is of a newer EVC: format {hello.format}, here {FORMAT}")
        first, now = self._clock is None, this_moment()
        self._clock = Clock(hello, now)
        if first:
            await self._connected(line, now.epoch)

    async def _connected(self, line: Line, now: float) -> None:
        self._failures = 0
        self._shared.pace.hurry()  # others wait for their turn to begin
        if self._up is not True:
            self._up = True
            await self._reached(True, "", now)
        if line.at.last is not None and not line.at.follows(self.position):
            self._shared.say("another ring", self.node.name)
            self.position = line.at

    async def _keep(self, line: Line, what: Sample | Gap, clock: Clock) -> None:
        now = this_moment()
        try:
            gap = Moment(now.epoch, False)
            moment = clock.moment(what, now) if isinstance(what, Sample) else gap
        except ValueError as error:
            await self._drop(str(error))
            return
        if not self._new(line, what):
            await self._drop(REPLAYED)
            return
        received = Received(self.node.name, line.at, what, moment, line.dropped)
        await self._shared.queue.put(received)
        self.position = line.at  # not before: whoever goes on from here relies on the queue
        if isinstance(what, Sample):
            self.heard = True
            self.settled.set()

    async def _silence(self, line: Line, what: Silence) -> None:
        if what.seconds > SILENT_SECONDS:
            self._shared.say("silent", self.node.name, seconds=what.seconds)
        if line.at != self.position and line.at.follows(self.position):  # a hole that held nothing
            moment = Moment(time.time(), False)
            await self._shared.queue.put(Received(self.node.name, line.at, None, moment, {}))
            self.position = line.at

    def _new(self, line: Line, what: Sample | Gap) -> bool:
        """Whether it was lacking, is not any more, and nothing else is lacking again."""
        if isinstance(what, Gap):
            return what.reason == RESET or line.at.follows(self.position)
        numbers, before = (what.first, what.seq), self.position
        return before.lacks_all(*numbers) and line.at.has_all(*numbers) and line.at.follows(before)

    async def _drop(self, what: str) -> None:
        moment = Moment(time.time(), False)
        item = Received(self.node.name, None, None, moment, {what: 1})
        await self._shared.queue.put(item)

    async def _broken(self, reason: str) -> None:
        """Say so, once, and wait: longer each time, and not in step with the others."""
        self._failures += 1
        missing = "evc_agent.py" in reason and "status 2" in reason
        if missing:
            self._shared.agents.bring(self.node)
        elif self._failures > 1:  # one refusal may be a burst of handshakes
            self.settled.set()
            await self._down(reason)
        least, most = RETRY_SECONDS
        wait = min(most, least * 2 ** (self._failures - 1)) * random.uniform(0.5, 1.5)
        await self._shared.agents.brought(self.node, wait)

    async def _down(self, reason: str) -> None:
        if self._up is not False:
            self._up = False
            await self._reached(False, reason, time.time())

    async def _reached(self, up: bool, reason: str, now: float) -> None:
        self._shared.say("up" if up else "down", self.node.name, reason=reason)
        await self._shared.queue.put(Reached(self.node.name, up, reason[:300], now))


def this_moment() -> Now:
    """By this machine's clocks; the steady one goes on while it sleeps, as those of nodes do."""
    return Now(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))
