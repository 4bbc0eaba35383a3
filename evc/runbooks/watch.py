"""The fleet as the logger recorded it last; nothing is asked of the nodes, nothing is written.

The figures are those of the Fleet dashboard's table, and its CPU by node.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.inventory import Node
from evc.pure.panels import fleet as panels
from evc.pure.panels import ladder
from evc.pure.panels.rendering import bound
from evc.pure.watching import Seen
from evc.runbooks import nodes as inventory

CPU_SECONDS = 120
CPU = ladder.lines(ladder.NAMED, ("", ladder.CPU), all_nodes=True)


def watch(fleet: Fleet, selector: str | None) -> list[Seen]:
    """The chosen nodes as they are now; raises EvcError when the database cannot be read."""
    with stores.reading(fleet.database, fleets.share() / "db") as store:
        return _seen(store, inventory.chosen(store, selector))


def _seen(store: Store, nodes: Sequence[Node]) -> list[Seen]:
    until = time.time() + 1  # a range ends before its last second
    chosen = {"node": [node.name for node in nodes]}
    table = store.rows(*bound(panels.NODES_TABLE, until, until, chosen))
    rows, cpu = {row["node"]: row for row in table}, defaultdict[str, list[float]](list)
    for row in store.rows(*bound(CPU, until - CPU_SECONDS, until, chosen)):
        cpu[row["series"]].append(row["value"])
    return [_one(node, rows[node.name], cpu[node.name]) for node in nodes]


def _one(node: Node, row: stores.Row, cpu: Sequence[float]) -> Seen:
    return Seen(
        node.name,
        node.title,
        node.groups,
        row["state"],
        node.unusable or row["reason"],
        row["age"],
        tuple(cpu),
        row["cpu"],
        row["temperature"],
        row["memory"],
        row["models"] or "",
    )
