"""The fleet as the logger recorded it last; nothing is asked of the nodes, nothing is written."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import watching
from evc.pure.inventory import Node
from evc.pure.watching import Reached, Seen
from evc.runbooks import nodes as inventory

SAMPLES = 24  # two minutes
_LOGGED = "SELECT id, name FROM logged_node"
_NEWEST = """
SELECT id, time, temperature, memory_used FROM sample WHERE node_id = ? ORDER BY id DESC LIMIT 1
"""
_IDLE = f"SELECT idle FROM sample WHERE node_id = ? ORDER BY id DESC LIMIT {SAMPLES}"
_SPAN = """
SELECT up, until, reason FROM reachability WHERE node_id = ? ORDER BY since DESC LIMIT 1
"""
_MODELS = """
SELECT assignment.node_id, assignment.model, version, assignment.state FROM assignment
JOIN deployment ON deployment.id = deployment_id JOIN release ON release.id = release_id
ORDER BY assignment.model
"""
_UNWELL = """
SELECT model FROM container_sample JOIN container ON container.id = container_id
WHERE sample_id = ? AND (state <> 'running' OR health = 'unhealthy')
"""


def watch(fleet: Fleet, selector: str | None) -> list[Seen]:
    """The chosen nodes as they are now; raises EvcError when the database cannot be read."""
    with stores.reading(fleet.database, fleets.share() / "db") as store:
        logged = {row["name"]: row["id"] for row in store.rows(_LOGGED)}
        models: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in store.rows(_MODELS):
            models[row["node_id"]].append(row)
        return [
            _seen(store, node, logged.get(node.name), models[node.id])
            for node in inventory.chosen(store, selector)
        ]


def _seen(store: Store, node: Node, logged: int | None, models: list[dict[str, Any]]) -> Seen:
    newest = store.row(_NEWEST, (logged,))
    now, span = time.time(), store.row(_SPAN, (logged,))
    reached = Reached(bool(span["up"]), span["until"], span["reason"]) if span else None
    age = max(0.0, now - newest["time"]) if newest else None
    unwell = {row["model"] for row in store.rows(_UNWELL, (newest["id"],))} if newest else set()
    idle = [row[0] for row in store.each(_IDLE, (logged,))]
    return Seen(
        node.name,
        node.title,
        node.groups,
        watching.state(reached, age, now),
        reached.reason if reached and not reached.up else node.unusable,
        age,
        tuple(None if one is None else 100.0 - one for one in reversed(idle)),
        newest["temperature"] if newest else None,
        newest["memory_used"] if newest else None,
        tuple(_model(row, unwell) for row in models),
    )


def _model(row: dict[str, Any], unwell: set[str]) -> str:
    """A model and its version; what is not as it should be stands beside it."""
    state = "unhealthy" if row["model"] in unwell and row["state"] == "serving" else row["state"]
    return f"{row['model']} {row['version']}" + ("" if state == "serving" else f" ({state})")
