"""What streams received, into the database: samples and position in one transaction, all nodes'.

A write that fails changes nothing, neither there nor here, and may be made again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evc.doors.store import Store
from evc.pure import clocks, positions
from evc.pure.clocks import Moment
from evc.pure.positions import Position
from evc.pure.samples import FIGURES, Gap, Sample
from evc.runbooks.logger.identities import Identities
from evc.runbooks.rollups import SLOT_SECONDS

_COLUMNS = (
    "id",
    "node_id",
    "boot_id",
    "seq",
    "time",
    "up",
    "estimated",
    *FIGURES,
    "detail",
    "covers",
)
_SAMPLE = (
    f"INSERT INTO sample ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (id) DO NOTHING"
)
# Ids go up with time, whenever a row comes: the least one of its millisecond that is free.
_NEXT = "(SELECT coalesce(max(id), ? - 1) + 1 FROM {} WHERE id >= ? AND id < ? + (1 << 20))"
_PREDICTION = (
    "INSERT INTO prediction (id, time, node, model, release, class, probability, box)"
    f" VALUES ({_NEXT.format('prediction')}, ?, ?, ?, ?, ?, ?, ?)"
)
_METRIC = (
    "INSERT INTO metric (id, time, node_id, model, release, name, value)"
    f" VALUES ({_NEXT.format('metric')}, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class Received:
    """One sample or gap of a node, or only what was dropped, and the position reached with it."""

    node: str
    at: Position | None
    what: Sample | Gap | None
    moment: Moment
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Carried:
    """Bytes that the link of a metered node carried, on the UTC day that began at `day`."""

    node: str
    day: int
    bytes: int


@dataclass(frozen=True)
class Reached:
    """A node can be reached from now on, or can't, and why."""

    node: str
    up: bool
    reason: str
    since: float


@dataclass(frozen=True)
class Left:
    """A node is in the inventory no more."""

    node: str
    at: float


@dataclass(frozen=True)
class Known:
    """What is recorded of a node: how far it was received, and that it could not be reached."""

    position: Position
    down: bool


Item = Received | Reached | Left | Carried


class Recorder:
    """The one writer of what nodes send."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.need_not_wait()
        self._spans: dict[str, int] = {}
        self._ids = Identities(store)

    def position(self, node: str) -> Position:
        """How far a node's ring was received."""
        row = self._store.row("SELECT position FROM logged_node WHERE name = ?", (node,))
        return positions.parse(row["position"]) if row else positions.NOTHING

    def known(self, node: str) -> Known:
        """What a stream of this node goes on from."""
        last = self._store.row(
            "SELECT up FROM reachability JOIN logged_node ON logged_node.id = node_id"
            " WHERE name = ? ORDER BY since DESC LIMIT 1", (node,))  # fmt: skip
        return Known(self.position(node), last is not None and not last["up"])

    def carried(self, node: str, day: int) -> int:
        """Bytes that a node's link carried on a day."""
        row = self._store.row(
            "SELECT bytes FROM link JOIN logged_node ON logged_node.id = node_id"
            " WHERE name = ? AND day = ?", (node, day))  # fmt: skip
        return int(row["bytes"]) if row else 0

    def write(self, items: Sequence[Item]) -> None:
        """All of it or nothing; raises StoreError when the disk does not take it."""
        spans = dict(self._spans)
        self._ids.limit()
        try:
            with self._store.transaction():
                for item in items:
                    if isinstance(item, Reached):
                        self._span(item)
                    elif isinstance(item, Left):
                        self._end_span(item.node, item.at)
                    elif isinstance(item, Carried):
                        self._carried(item)
                received = [item for item in items if isinstance(item, Received)]
                self._samples(received)
                self._rest(received)
                self._positions(received)
        except BaseException:
            self._spans = spans
            self._ids.forget()  # the transaction that failed may have made some
            raise

    def seen(self, now: float) -> None:
        """The spans that last, last until now."""
        rows = [(now, span) for span in self._spans.values()]
        self._store.write_all("UPDATE reachability SET until = ? WHERE id = ?", rows)

    def _samples(self, received: Sequence[Received]) -> None:
        rows, containers = [], []
        for item in received:
            sample = item.what
            if isinstance(sample, Sample):
                node = self._ids.node(item.node)
                rows.append(self._row(node, sample, item.moment))
                containers += [
                    (rows[-1][0], self._ids.container(node, one), one.state, one.health,
                     one.restarts, one.cpu, one.memory)
                    for one in sample.containers
                ]  # fmt: skip
        self._store.write_all(_SAMPLE, rows)
        slots = {(row[1], int(row[4] // SLOT_SECONDS)) for row in rows}
        self._store.write_all("INSERT INTO unrolled VALUES (?, ?) ON CONFLICT DO NOTHING", [*slots])
        self._store.write_all(
            "INSERT INTO container_sample VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING", containers)  # fmt: skip

    def _row(self, node: int, sample: Sample, moment: Moment) -> tuple[Any, ...]:
        identity = int(moment.time * 1000) << 20 | node << 6 | sample.seq & 63
        boot, figures = self._ids.boot(node, sample.boot), sample.figures
        return (
            identity, node, boot, sample.seq, moment.time, sample.up, int(moment.estimated),
            *[figures[name] for name in FIGURES], sample.detail,
            sample.minute.count if sample.minute else None,
        )  # fmt: skip

    def _rest(self, received: Sequence[Received]) -> None:
        predictions, metrics = [], []
        for item in received:
            node, sample = item.node, item.what
            if isinstance(sample, Sample):
                for one in sample.predictions:
                    time_ = clocks.of_event(one.clock, sample, item.moment)
                    what = (one.model, one.release, one.name, one.probability, one.box)
                    predictions.append((*_first(time_), time_, node, *what))
                for metric in sample.metrics:
                    time_ = clocks.of_event(metric.clock, sample, item.moment)
                    value = (metric.model, metric.release, metric.name, metric.value)
                    metrics.append((*_first(time_), time_, self._ids.node(node), *value))
        self._store.write_all(_PREDICTION, predictions)
        self._store.write_all(_METRIC, metrics)

    def _positions(self, received: Sequence[Received]) -> None:
        dropped: dict[str, Counter[str]] = {}
        reached = {item.node: str(item.at) for item in received if item.at is not None}
        for item in received:
            if item.dropped:
                dropped.setdefault(item.node, Counter()).update(item.dropped)
            if isinstance(item.what, Gap):
                gap = (self._ids.node(item.node), item.what.first, item.what.last, item.what.reason)
                self._store.write(
                    "INSERT INTO gap (node_id, first, last, reason, time) VALUES (?, ?, ?, ?, ?)",
                    (*gap, item.moment.time),
                )
        for node, counts in dropped.items():
            self._dropped(node, counts)
        rows = [(at, node) for node, at in reached.items()]
        self._store.write_all("UPDATE logged_node SET position = ? WHERE name = ?", rows)

    def _dropped(self, node: str, counts: Counter[str]) -> None:
        now = time.time()
        rows = [(self._ids.node(node), what, count, now) for what, count in counts.items()]
        self._store.write_all(
            "INSERT INTO dropped VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET count = count + excluded.count, time = excluded.time", rows)  # fmt: skip

    def _carried(self, carried: Carried) -> None:
        self._store.write(
            "INSERT INTO link VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes",
            (self._ids.node(carried.node), carried.day, carried.bytes),
        )

    def _span(self, reached: Reached) -> None:
        node = self._ids.node(reached.node)
        self._end_span(reached.node, reached.since)
        values = (node, reached.since, reached.since, int(reached.up), reached.reason)
        self._spans[reached.node] = self._store.write(
            "INSERT INTO reachability (node_id, since, until, up, reason) VALUES (?, ?, ?, ?, ?)",
            values,
        )

    def _end_span(self, node: str, at: float) -> None:
        if node in self._spans:
            row = (at, self._spans.pop(node))
            self._store.write("UPDATE reachability SET until = ? WHERE id = ?", row)


def _first(moment: float) -> tuple[int, int, int]:
    """Three times the least id of a millisecond; see `_NEXT`."""
    least = int(moment * 1000) << 20
    return least, least, least
