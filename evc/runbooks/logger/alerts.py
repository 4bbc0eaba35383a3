"""Alerts from what was recorded: when each begins, and when it is over."""

from __future__ import annotations

import json
from typing import Any

from evc.doors.store import Row, Store
from evc.pure import alerts
from evc.pure.alerts import Alerts, AlertSettings, Seen, Threshold
from evc.pure.names import printable
from evc.runbooks.rollups import DAY, first_id

# A span is covered when a sample is this near its beginning: three intervals, or a minute and such.
SLACK_SECONDS, METERED_SLACK_SECONDS = 15.0, 75.0
# So many restarts in so many times `unhealthy_after` are a loop: Docker waits a minute at most.
LOOP, LOOP_SPANS = 3, 5
_FIGURES = {
    "cpu": "100 - idle",
    "memory": "memory_used",
    "disk": "100.0 * disk_used / nullif(disk_used + disk_available, 0)",
    "temperature": "temperature",
    "load": "load5",
    "swap": "100.0 * swap_used / nullif(swap_total, 0)",
}
_NODES = """
SELECT logged_node.id, node.id AS inventory, node.name, node.metered, node.is_local, span.up,
  span.reason,
  CASE WHEN span.up THEN span.since ELSE coalesce(
    (SELECT max(until) FROM reachability WHERE node_id = logged_node.id AND up),
    (SELECT min(since) FROM reachability WHERE node_id = logged_node.id)) END AS since,
  (SELECT json_group_array(group_name) FROM membership WHERE node_id = node.id) AS groups,
  (SELECT time FROM sample WHERE node_id = logged_node.id ORDER BY id DESC LIMIT 1) AS newest
FROM node JOIN logged_node ON logged_node.name = node.name
JOIN reachability AS span ON span.id = (
  SELECT id FROM reachability WHERE node_id = logged_node.id ORDER BY since DESC LIMIT 1)
WHERE node.registered_at IS NOT NULL
"""
# Containers that were there for a whole span: how often they were not well, and their model.
_CONTAINERS = """
SELECT model, min(sample.time) AS first, count(*) AS seen, max(state = 'running') AS ran,
  sum(state = 'restarting' OR health = 'unhealthy') AS unwell,
  max(restarts) AS restarts, max(restarts) - min(restarts) AS restarted
FROM sample JOIN container_sample ON sample_id = sample.id
JOIN container ON container.id = container_id
WHERE sample.node_id = ? AND sample.id >= ? GROUP BY container.id
"""
# Models that have been serving for a whole span, by what EVC was told.
_ASSIGNED = """
SELECT model FROM assignment WHERE node_id = ? AND state = 'serving' AND changed_at <= ?
"""
# Each node's samples of a span, and in how many of them the agent says that the engine did not
# answer it: of all nodes at once, since their samples lie side by side.
_LOOKS = """
SELECT node_id, min(time) AS first, count(*) AS taken, count(problem) AS failed,
  max(problem) AS problem
FROM (SELECT +node_id AS node_id, time, json_extract(detail, '$.engine') AS problem FROM sample
      WHERE id >= ?) GROUP BY node_id
"""
# Of camera models: what one of them printed of any frame, and whether it ever does.
_CAMERAS = """
SELECT DISTINCT model FROM release WHERE json_extract(config, '$.serve.mode') = 'camera'
"""
_TITLES = "SELECT name, title FROM node WHERE title <> ''"
_PRINTED = "SELECT 1 FROM metric WHERE id >= ? AND id < ? AND node_id = ? AND model = ? LIMIT 1"
_PREDICTED = "SELECT 1 FROM prediction WHERE node = ? AND model = ? AND time >= ? LIMIT 1"


def watch(store: Store, settings: AlertSettings, now: float) -> str:
    """Look once, and record what is new and what is over; both as lines, '' for nothing."""
    standing: Alerts = {
        (row["node"], row["kind"]): row["text"]
        for row in store.rows("SELECT node, kind, text FROM alert WHERE until IS NULL")
    }
    firing = alerts.firing(settings, _seen(store, settings, now), now, standing)
    fired = {key: printable(text) for key, text in firing.items() if key not in standing}
    resolved = {key: text for key, text in standing.items() if key not in firing}
    _record(store, fired, resolved, now)
    return alerts.message(fired, resolved, titles(store))


def titles(store: Store) -> dict[str, str]:
    """Node → what people call it, where they do."""
    return {row["name"]: printable(row["title"]) for row in store.rows(_TITLES)}


def _record(store: Store, fired: Alerts, resolved: Alerts, now: float) -> None:
    over = [(now, *key) for key in resolved]
    store.write_all(
        "UPDATE alert SET until = ? WHERE node = ? AND kind = ? AND until IS NULL", over
    )
    new = [(*key, text, now) for key, text in fired.items()]
    store.write_all("INSERT INTO alert (node, kind, text, since) VALUES (?, ?, ?, ?)", new)


def _seen(store: Store, settings: AlertSettings, now: float) -> list[Seen]:
    rows, looks = store.rows(_NODES), dict[float, dict[int, Row]]()
    for begin in {_begin(settings, row, now) for row in rows}:
        found = store.rows(_LOOKS, (first_id(begin),))
        looks[begin] = {look["node_id"]: look for look in found}
    return [
        _node(store, settings, row, now, looks[_begin(settings, row, now)].get(row["id"]))
        for row in rows
    ]


def _begin(settings: AlertSettings, row: Row, now: float) -> float:
    """Since when what is in containers must not be well to be told of."""
    return now - max(settings.unhealthy_after, 2 * _slack(row))


def _node(store: Store, settings: AlertSettings, row: Row, now: float, looks: Row | None) -> Seen:
    return Seen(
        row["name"],
        tuple(json.loads(row["groups"])),
        bool(row["up"]),
        row["since"],
        row["reason"],
        None if row["newest"] is None else now - row["newest"],
        [one for one in settings.thresholds if _exceeded(store, row, one, now)],
        quiet=_quiet(store, settings, row, now),
        blind=_blind(store, settings, row, now),
        local=bool(row["is_local"]),
        **(_containers(store, settings, row, now, looks) if looks else {}),
    )


def _slack(row: Row) -> float:
    return METERED_SLACK_SECONDS if row["metered"] else SLACK_SECONDS


def _exceeded(store: Store, row: Row, threshold: Threshold, now: float) -> bool:
    figure, begin = _FIGURES[threshold.figure], now - max(threshold.seconds, _slack(row))
    found = store.row(
        f"SELECT min(one) AS low, max(one) AS high, min(time) AS first FROM"
        f" (SELECT {figure} AS one, time FROM sample WHERE node_id = ? AND id >= ?)",
        (row["id"], first_id(begin)),
    )
    if not found or found["low"] is None:
        return False
    return found["first"] <= begin + _slack(row) and threshold.holds(found["low"], found["high"])


def _containers(
    store: Store, settings: AlertSettings, row: Row, now: float, looks: Row
) -> dict[str, Any]:
    """Of what is in containers: `engine`, `stopped` and `unhealthy` of what was seen."""
    begin = _begin(settings, row, now)
    latest = begin + _slack(row)  # whatever began later was not there for the whole span
    if looks["first"] > latest:
        return {}
    if looks["failed"] * 3 > looks["taken"]:  # one that hangs is not over with every sample
        return {"engine": looks["problem"]}
    rows = store.rows(_CONTAINERS, (row["id"], first_id(begin)))
    unwell = {one["model"] for one in rows if one["first"] <= latest
              and one["unwell"] == one["seen"]}  # fmt: skip
    ran = {one["model"] for one in rows if one["ran"]}
    assigned = {one["model"] for one in store.rows(_ASSIGNED, (row["inventory"], begin))}
    if any(one["restarts"] for one in rows):
        unwell |= _looping(store, row, now - LOOP_SPANS * (now - begin))
    return {"stopped": sorted(assigned - ran), "unhealthy": sorted(unwell)}


def _looping(store: Store, row: Row, begin: float) -> set[str]:
    """Models started again and again since `begin`: a sample may see one while it runs."""
    rows = store.rows(_CONTAINERS, (row["id"], first_id(begin)))
    return {one["model"] for one in rows if one["restarts"] and one["restarted"] >= LOOP}


def _quiet(store: Store, settings: AlertSettings, row: Row, now: float) -> list[str]:
    if settings.no_prediction_after is None:
        return []
    begin = now - settings.no_prediction_after
    return [
        model
        for model in _running(store, row, begin)
        if not store.rows(_PREDICTED, (row["name"], model, begin))
    ]


def _blind(store: Store, settings: AlertSettings, row: Row, now: float) -> list[str]:
    """Camera models that printed something of frames in the day before, and not of late."""
    cameras = {one["model"] for one in store.rows(_CAMERAS)}
    begin = now - max(settings.no_frame_after, 2 * _slack(row))
    found = []
    for model in cameras.intersection(_running(store, row, begin) if cameras else ()):
        before, since, ever = (first_id(at) for at in (begin - DAY, begin, now + DAY))
        whose = (row["id"], model)
        blind = not store.rows(_PRINTED, (since, ever, *whose))
        if blind and store.rows(_PRINTED, (before, since, *whose)):
            found.append(model)
    return sorted(found)


def _running(store: Store, row: Row, begin: float) -> list[str]:
    """The models that have been running since then."""
    rows = store.rows(_CONTAINERS, (row["id"], first_id(begin)))
    return sorted(
        {one["model"] for one in rows if one["ran"] and one["first"] <= begin + _slack(row)}
    )
