"""The inventory: nodes in the database, selected, changed, and rendered as `hosts.ini`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import inventory, selectors
from evc.pure.errors import BadInput
from evc.pure.inventory import Node

_NODES = """
SELECT node.*,
  (SELECT json_group_array(group_name) FROM membership WHERE node_id = node.id) AS groups,
  (SELECT json_group_object(key, value) FROM label WHERE node_id = node.id) AS labels
FROM node ORDER BY name
"""


def everyone(store: Store) -> list[Node]:
    """All nodes, by name."""
    return [_node(row) for row in store.rows(_NODES)]


def selected(store: Store, selector: str) -> list[Node]:
    """The nodes that `selector` means; raises BadInput when it is wrong or selects none."""
    nodes = everyone(store)
    names = set(selectors.select(selector, [node.selectable for node in nodes]))
    if not names:
        raise BadInput(f"--on {selector!r} selects no node", "`evc node list` shows what there is")
    return [node for node in nodes if node.name in names]


def chosen(store: Store, selector: str | None) -> list[Node]:
    """Everyone when nothing was said, else whom `selector` means: for commands that only look."""
    return everyone(store) if selector is None else selected(store, selector)


def insert(store: Store, node: Node) -> None:
    """Add a node that is not there yet; raises BadInput when its name or address is taken."""
    if not node.address and not node.local:
        raise BadInput(f"there is no node {node.name} yet", "give its ADDRESS")
    for other in everyone(store):
        if other.name == node.name:
            raise BadInput(f"there is a node {node.name} already", f"evc node show {node.name}")
        if node.address and (other.address, other.port) == (node.address, node.port):
            raise BadInput(f"{node.address}:{node.port} is the node {other.name} already")
    nodes = [*everyone(store), node]
    taken = {one.name for one in nodes} & {group for one in nodes for group in one.groups}
    if taken:
        both = ", ".join(sorted(taken))
        raise BadInput(f"{both} would be the name of a group and of a node", "choose another name")
    with store.transaction():
        row = store.write(
            "INSERT INTO node (name, address, port, login_user, login_key, sudo_file, is_builder,"
            " is_edge, is_local, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                node.name,
                node.address,
                node.port,
                node.login_user,
                node.login_key,
                node.sudo_file,
                int(node.builder),
                int(node.edge),
                int(node.local),
                time.time(),
            ),
        )
        for group in node.groups:
            store.write("INSERT INTO membership VALUES (?, ?)", (row, group))
        for key, value in node.labels.items():
            store.write("INSERT INTO label VALUES (?, ?, ?)", (row, key, value))


def render_inventory(fleet: Fleet, store: Store) -> None:
    """Write `hosts.ini` from the database; raises BadInput rather than lose a person's edits."""
    text = inventory.render(everyone(store))
    file = fleet.inventory_file
    found = file.read_text(encoding="utf-8") if file.exists() else ""
    if inventory.edited_by_hand(found):
        raise BadInput(
            f"{file} was changed by hand; it is left as it is",
            "take it in with `evc node import hosts.ini`, or move it away",
        )
    if found != text:
        fleets.replace(file, text)


def remember(store: Store, name: str, facts: dict[str, Any], registered: bool) -> None:
    """Keep a node's facts of a probe, and that it is registered now."""
    store.write(
        "UPDATE node SET facts = ?, os = ?, hw = ?, gpu = ?,"
        " registered_at = CASE WHEN ? THEN coalesce(registered_at, ?) ELSE registered_at END"
        " WHERE name = ?",
        (
            json.dumps(facts),
            str(facts.get("os", "")),
            str(facts.get("board") or facts.get("architecture", "")),
            str(facts.get("gpu", "")),
            int(registered),
            time.time(),
            name,
        ),
    )


def forget(store: Store, names: Sequence[str]) -> None:
    """Take nodes out of the inventory; what was recorded of them stays."""
    store.write_all("DELETE FROM node WHERE name = ?", [(name,) for name in names])


def _node(row: dict[str, Any]) -> Node:
    return Node(
        id=row["id"],
        name=row["name"],
        address=row["address"],
        port=row["port"],
        login_user=row["login_user"],
        login_key=row["login_key"],
        sudo_file=row["sudo_file"],
        builder=bool(row["is_builder"]),
        edge=bool(row["is_edge"]),
        local=bool(row["is_local"]),
        registered=row["registered_at"] is not None,
        groups=tuple(sorted(json.loads(row["groups"]))),
        labels=json.loads(row["labels"]),
        facts=json.loads(row["facts"]),
    )
