"""Rollups: each figure of each node by minute and by hour, made again where a backlog came.

And the ladder's end: raw samples go after days, minutes and what models said after months, hours
never. Nothing goes before it is rolled up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evc.doors.store import Store
from evc.pure import minutes
from evc.pure.samples import FIGURES

SLOT_SECONDS, HOUR = 600, 3600
DAY = 86400.0
KEEP_RAW_DAYS, KEEP_MINUTES_DAYS = 14.0, 180.0
SLOTS_AT_ONCE, ROWS_AT_ONCE = 20, 5000

_FOUR = ", ".join(f"min({one}), avg({one}), max({one}), count({one})" for one in FIGURES)
_MINUTES = f"""
SELECT CAST(time / 60 AS INTEGER) * 60 AS minute, {_FOUR}
FROM sample WHERE node_id = ? AND id >= ? AND id < ? AND covers IS NULL GROUP BY minute
"""
# Of metered nodes: rows that stand for several samples.
_MEANS = """
SELECT CAST(time / 60 AS INTEGER) * 60 AS minute, detail
FROM sample WHERE node_id = ? AND id >= ? AND id < ? AND covers IS NOT NULL
"""
_KEEP = """
INSERT INTO {} (figure, node_id, time, low, mean, high, count) {}
ON CONFLICT DO UPDATE SET low = excluded.low, mean = excluded.mean, high = excluded.high,
  count = excluded.count
"""
_MINUTE = _KEEP.format("minute", "VALUES (?, ?, ?, ?, ?, ?, ?)")
_HOURS = _KEEP.format(
    "hour",
    f"""SELECT figure, node_id, :hour, min(low), sum(mean * count) / sum(count), max(high),
    sum(count) FROM minute WHERE figure IN ({", ".join(f"'{one}'" for one in FIGURES)})
    AND node_id = :node AND time >= :hour AND time < :hour + 3600 GROUP BY figure""",
)
# What is pruned, in steps: (table, its key, what tells its age), in an order that keeps references
# whole. Ids of samples begin with milliseconds.
_BY_ID = (("container_sample", "sample_id", "sample_id"), ("sample", "id", "id"))
_WITH_SAMPLES = (
    ("controller", "time", "time"),
    ("boot", "id", f"seen + {DAY}"),  # noted late
    ("container", "id", f"seen + {DAY}"),
)
_WITH_MINUTES = (
    ("metric", "id", "time"),
    ("prediction", "id", "time"),
    ("prediction_input", "id", "time"),
    ("progress", "id", "time"),
    ("gap", "id", "time"),
    ("reachability", "id", "until"),
    ("alert", "id", "until"),  # and to whom it was told; one that lasts has no end
    ("link", "(node_id, day)", "day"),
    ("minute", "(figure, node_id, time)", "time"),
    ("metric_hour", "(model, name, release, time, node_id)", "time"),
    ("prediction_hour", "(model, release, time, node, class)", "time"),
)

Stopped = Callable[[], bool]


def roll(store: Store, stopped: Stopped = lambda: False) -> int:
    """Make the rollups that are to be made; how many times ten minutes of a node that were."""
    slots = store.rows("SELECT node_id, slot FROM unrolled ORDER BY slot")
    for first in range(0, len(slots), SLOTS_AT_ONCE):
        if stopped():
            return first
        with store.transaction():  # short: the logger's writer waits for it
            some = [(row["node_id"], row["slot"]) for row in slots[first : first + SLOTS_AT_ONCE]]
            store.write_all("DELETE FROM unrolled WHERE node_id = ? AND slot = ?", some)
            for node, slot in some:
                _slot(store, node, slot * SLOT_SECONDS)
    return len(slots)


def _slot(store: Store, node: int, begin: int) -> None:
    """The minutes of ten, and the hour that they are in."""
    span = (node, first_id(begin), first_id(begin + SLOT_SECONDS))
    fours: dict[tuple[str, int], minutes.Four] = {}
    for row in store.rows(_MINUTES, span):
        fours |= _minute(row)
    for minute, detail in store.each(_MEANS, span):
        for figure, four in minutes.spans(detail).items():
            known = fours.get((figure, minute))
            fours[figure, minute] = minutes.both(known, four) if known else four
    rows = [(figure, node, minute, *four) for (figure, minute), four in fours.items()]
    store.write_all(_MINUTE, rows)
    store.write(_HOURS, {"node": node, "hour": begin - begin % HOUR})


def _minute(row: dict[str, Any]) -> dict[tuple[str, int], minutes.Four]:
    """(figure, minute) → its four, for each figure that was there in this minute."""
    minute, *values = row.values()
    fours = (tuple(values[place : place + 4]) for place in range(0, len(values), 4))
    return {(figure, minute): four for figure, four in zip(FIGURES, fours, strict=True) if four[3]}


def first_id(moment: float) -> int:
    """The least id of what happened at `moment` or later."""
    return int(moment * 1000) << 20


def prune(
    store: Store, raw_before: float, minutes_before: float, stopped: Stopped = lambda: False
) -> int:
    """Delete what is older than two times, in small steps; the number of rows."""
    (waiting,) = store.rows("SELECT min(slot) AS slot FROM unrolled")
    if waiting["slot"] is not None:
        raw_before = min(raw_before, waiting["slot"] * SLOT_SECONDS)
    gone = 0
    for tables, before in (
        (_BY_ID, first_id(raw_before)),
        (_WITH_SAMPLES, raw_before),
        (_WITH_MINUTES, minutes_before),
    ):
        for table, key, age in tables:
            gone += _in_steps(store, table, key, age, before, stopped)
    return gone


def _in_steps(store: Store, table: str, key: str, by: str, before: float, stopped: Stopped) -> int:
    old = f"SELECT {key.strip('()')} FROM {table} WHERE {by} < ? LIMIT ?"
    gone = 0
    while not stopped():
        with store.transaction():
            store.write(f"DELETE FROM {table} WHERE {key} IN ({old})", (before, ROWS_AT_ONCE))
            step = store.changes()
        gone += step
        if step < ROWS_AT_ONCE:
            break
    return gone
