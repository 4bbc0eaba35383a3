"""The single samples of a metered node, on demand, in place of the minutes that stand for them.

They come from the node's ring. What models printed stays as the minutes told it.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Clock
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.links import day_of
from evc.pure.minutes import Unzipped
from evc.pure.positions import Position
from evc.pure.samples import Hello, Line, Sample
from evc.runbooks import plays
from evc.runbooks.logger.metered import ZIPPED
from evc.runbooks.logger.record import Carried, Received, Recorder
from evc.runbooks.logger.stream import DEADLINE_SECONDS, this_moment
from evc.runbooks.rollups import first_id

MAX_HOLES = 50
_MINUTES = """
SELECT sample.id, boot, json_extract(detail, '$.minute.first') AS first, seq AS last, covers
FROM sample JOIN boot ON boot.id = boot_id JOIN logged_node ON logged_node.id = sample.node_id
WHERE name = ? AND sample.id >= ? AND covers IS NOT NULL ORDER BY seq
"""


@dataclass
class Fetched:
    """How many samples came, in place of how many minutes; minutes that stay; bytes of the link."""

    samples: int = 0
    minutes: int = 0
    left: int = 0
    bytes: int = 0


@dataclass
class _Minute:
    """A row that stands for `covers` samples, and those of them that have come."""

    id: int
    boot: str
    first: int
    last: int
    covers: int
    received: dict[int, Received] = field(default_factory=dict)


def fetch(fleet: Fleet, store: Store, node: Node, since: float) -> Fetched:
    """Bring the samples of all minutes since then (epoch seconds); raises SshError."""
    rows = store.rows(_MINUTES, (node.name, first_id(since)))
    found = Fetched(left=len(rows))
    if rows:
        wanted = [_Minute(**row) for row in rows]
        asyncio.run(_Fetch(fleet, store, node, wanted, found).run())
    return found


class _Fetch:
    """One connection, until everything that was asked for has come."""

    def __init__(
        self, fleet: Fleet, store: Store, node: Node, wanted: Sequence[_Minute], found: Fetched
    ) -> None:
        self._fleet, self._store, self._node, self._found = fleet, store, node, found
        self._recorder, self._wanted = Recorder(store), wanted
        self._lasts = [one.last for one in wanted]
        self._after = _lacking(self._recorder.position(node.name), wanted)
        self._clock: Clock | None = None

    async def run(self) -> None:
        """See `fetch`; raises EvcError."""
        words = ["follow", "--after", str(self._after), "--holes", *ZIPPED]
        argv = plays.agent(self._fleet, self._node, *words)
        wire = ssh.Wire()
        target = plays.target(self._fleet, self._node).counted(wire)
        lines = ssh.follow(target, argv, asyncio.Semaphore(1), DEADLINE_SECONDS)
        unzipped, lacking = Unzipped(), True
        try:
            async with contextlib.aclosing(lines):
                while lacking:
                    for text in await anext(lines):
                        for line in unzipped.lines(text):
                            lacking = self._take(samples.read(line))
        except ValueError as error:
            raise EvcError(
                f"{self._node.name}: its agent's lines cannot be read: {error}"
            ) from None
        finally:
            self._count(wire.taken())

    def _take(self, line: Line) -> bool:
        """Keep what was asked for; whether something still lacks."""
        what, now = line.what, this_moment()
        if isinstance(what, Hello):
            self._clock = Clock(what, now)
            if not line.at.follows(self._after):
                raise EvcError(f"{self._node.name} has another ring now: they are gone")
        elif isinstance(what, Sample) and self._clock and (minute := self._minute(what)):
            moment = self._clock.moment(what, now)
            bare = replace(what, predictions=(), metrics=())
            kept = Received(self._node.name, None, bare, moment, Counter(line.dropped))
            minute.received[what.seq] = kept
            if len(minute.received) == minute.covers:
                self._put_in_place(minute)
        return bool(line.at.holes)

    def _minute(self, sample: Sample) -> _Minute | None:
        """The minute that a sample is of."""
        at = bisect.bisect_left(self._lasts, sample.seq)
        minute = self._wanted[at] if at < len(self._wanted) else None
        its = minute and minute.boot == sample.boot and minute.first <= sample.seq
        return minute if its and not sample.minute else None

    def _put_in_place(self, minute: _Minute) -> None:
        with self._store.transaction():
            self._store.write("DELETE FROM container_sample WHERE sample_id = ?", (minute.id,))
            self._store.write("DELETE FROM sample WHERE id = ?", (minute.id,))
            if self._store.changes():  # nobody else was faster
                self._recorder.write(list(minute.received.values()))
        self._found.samples += len(minute.received)
        self._found.minutes += 1
        self._found.left -= 1

    def _count(self, carried: int) -> None:
        self._found.bytes = carried
        self._recorder.write([Carried(self._node.name, day_of(time.time()), carried)])


def _lacking(position: Position, wanted: Sequence[_Minute]) -> Position:
    """The position of a reader who has all but these minutes."""
    holes: list[tuple[int, int]] = []
    for one in wanted:
        if holes and (one.first == holes[0][1] + 1 or len(holes) == MAX_HOLES):
            holes[0] = (holes[0][0], one.last)
        else:
            holes.insert(0, (one.first, one.last))
    return Position(position.last, tuple(holes))
