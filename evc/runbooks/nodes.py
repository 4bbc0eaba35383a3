"""The inventory: nodes in the database, selected, changed, and rendered as `hosts.ini`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import inventory, selectors
from evc.pure.errors import BadInput
from evc.pure.inventory import Node, Place
from evc.pure.observations import Observation
from evc.pure.selectors import Selectable

_NODES = """
SELECT node.*, place.address AS place, latitude, longitude,
  (SELECT json_group_array(group_name) FROM membership WHERE node_id = node.id) AS groups,
  (SELECT json_group_object(key, value) FROM label WHERE node_id = node.id) AS labels
FROM node LEFT JOIN place ON place.node_id = node.id ORDER BY name
"""
_WRITE = """
INSERT INTO node (id, name, title, address, port, login_user, login_key, sudo_file, jump,
                  tunnel, is_builder, is_edge, is_local, metered, added_at)
VALUES (:id, :name, :title, :address, :port, :login_user, :login_key, :sudo_file, :jump,
        :tunnel, :builder, :edge, :local, :metered, :now)
ON CONFLICT (id) DO UPDATE SET title = :title, address = :address, port = :port,
  login_user = :login_user, login_key = :login_key, sudo_file = :sudo_file, jump = :jump,
  tunnel = :tunnel,  is_builder = :builder, is_edge = :edge, metered = :metered
"""
_FACTS = "facts = ?, os = ?, hw = ?, gpu = ?"
_COLUMNS = ("name", "title", "address", "port", "login_user", "login_key", "sudo_file", "jump",
            "tunnel", "builder", "edge", "local", "metered")  # fmt: skip


def everyone(store: Store) -> list[Node]:
    """All nodes, by name."""
    return [_node(row) for row in store.rows(_NODES)]


def selected(store: Store, selector: str) -> list[Node]:
    """The nodes that `selector` means; raises BadInput when it is wrong or selects none."""
    nodes = everyone(store)
    saved = members(nodes, saved_selectors(store))
    if selector in saved:
        names = saved[selector]
    else:
        names = set(selectors.select(selector, _selectable(nodes, saved)))
    if not names:
        raise BadInput(f"--on {selector!r} selects no node", "`evc node list` shows what there is")
    return [node for node in nodes if node.name in names]


def members(nodes: Sequence[Node], saved: Mapping[str, str]) -> dict[str, set[str]]:
    """Saved selector → the names of the nodes that it means now."""
    plain, found = [node.selectable for node in nodes], {}
    for name, selector in saved.items():
        try:
            found[name] = set(selectors.select(selector, plain))
        except BadInput:
            found[name] = set()  # it names a node or group that is gone
    return found


def _selectable(nodes: Sequence[Node], saved: Mapping[str, set[str]]) -> list[Selectable]:
    """What a selector may ask of the nodes, the saved selectors among their groups."""
    more = {node.name: {name for name in saved if node.name in saved[name]} for node in nodes}
    return [
        replace(node.selectable, groups=node.selectable.groups | more[node.name]) for node in nodes
    ]


def chosen(store: Store, selector: str | None) -> list[Node]:
    """Everyone when nothing was said, else whom `selector` means: for commands that only look."""
    return everyone(store) if selector is None else selected(store, selector)


def named(store: Store, name: str) -> Node:
    """The node of exactly this name; raises BadInput when there is none."""
    for node in everyone(store):
        if node.name == name:
            return node
    raise BadInput(f"there is no node {name[:80]!r}", "`evc node list` shows what there is")


def remote(store: Store, name: str) -> Node:
    """The node of this name, reached over SSH; raises BadInput for the controller itself."""
    node = named(store, name)
    if node.local:
        raise BadInput(f"{name} is this machine: it has no host key")
    return node


def insert(store: Store, node: Node) -> None:
    """Add a node that is not there yet; raises BadInput when its name or address is taken."""
    if not node.address and not node.local:
        raise BadInput(f"there is no node {node.name} yet", "give its ADDRESS")
    if any(other.name == node.name for other in everyone(store)):
        raise BadInput(f"there is a node {node.name} already", f"evc node show {node.name}")
    save(store, [node])


def save(store: Store, nodes: Sequence[Node]) -> None:
    """Write nodes as given, all or none: those with id 0 are new, the others change.

    Raises BadInput when two would be at one place, or a group and a node have one name.
    """
    refuse_conflicts(store, nodes)
    with store.transaction():
        for node in nodes:
            # Two nodes may change places, and no two are at one place at any time.
            store.write("UPDATE node SET address = '', port = -id WHERE id = ?", (node.id,))
        for node in nodes:
            _write(store, node)


def refuse_conflicts(store: Store, nodes: Sequence[Node]) -> None:
    """Raise BadInput when `nodes`, as they will be, are in the way of others or of groups."""
    changed = {node.name for node in nodes}
    others = [node for node in everyone(store) if node.name not in changed]
    if found := inventory.conflicts([*others, *nodes], saved_selectors(store)):
        raise BadInput("\n".join(found.values()), "choose another name, or another place")


def _write(store: Store, node: Node) -> None:
    values = {name: getattr(node, name) for name in _COLUMNS}
    row = store.write(_WRITE, {**values, "id": node.id or None, "now": time.time()})
    row = node.id or row
    for table in ("membership", "label", "place"):
        store.write(f"DELETE FROM {table} WHERE node_id = ?", (row,))
    for group in node.groups:
        store.write("INSERT INTO membership VALUES (?, ?)", (row, group))
    for key, value in node.labels.items():
        store.write("INSERT INTO label VALUES (?, ?, ?)", (row, key, value))
    if node.place:
        place = (row, node.place.address, node.place.latitude, node.place.longitude)
        store.write("INSERT INTO place VALUES (?, ?, ?, ?)", place)


def saved_selectors(store: Store) -> dict[str, str]:
    """The groups that are selectors: name → what it says."""
    rows = store.rows("SELECT name, selector FROM saved_selector ORDER BY name")
    return {row["name"]: row["selector"] for row in rows}


def refuse_edited(fleet: Fleet) -> None:
    """Raise BadInput when a person changed `hosts.ini`: writing it would lose that."""
    file = fleet.inventory_file
    if file.exists() and inventory.edited_by_hand(file.read_text(encoding="utf-8")):
        raise BadInput(
            f"{file} was changed by hand; it is left as it is",
            "take it in with `evc node import hosts.ini`, or move it away",
        )


def render_inventory(fleet: Fleet, store: Store) -> None:
    """Write `hosts.ini` from the database; raises BadInput rather than lose a person's edits."""
    refuse_edited(fleet)
    text, file = inventory.render(everyone(store)), fleet.inventory_file
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        fleets.replace(file, text)


def refresh(store: Store, answers: Mapping[str, object]) -> None:
    """Keep the facts of the nodes that answered a probe, so that selectors over them stay true."""
    known = {node.name: node.facts for node in everyone(store)}
    with store.transaction():
        for name, answer in answers.items():
            if isinstance(answer, Observation) and name in known:
                facts = {**known[name], **answer.known}
                store.write(f"UPDATE node SET {_FACTS} WHERE name = ?", (*_facts(facts), name))


def remember(store: Store, name: str, facts: dict[str, Any], registered: bool) -> None:
    """Keep a node's facts of a probe, and that it is registered now."""
    store.write(
        f"UPDATE node SET {_FACTS},"
        " registered_at = CASE WHEN ? THEN coalesce(registered_at, ?) ELSE registered_at END,"
        " revoked_at = NULL"
        " WHERE name = ?",
        (*_facts(facts), int(registered), time.time(), name),
    )


def _facts(facts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """The values of `_FACTS`: all of them, and those that the original's tables show."""
    board = str(facts.get("board") or facts.get("architecture", ""))
    return json.dumps(facts), str(facts.get("os", "")), board, str(facts.get("gpu", ""))


def forget_registration(store: Store, name: str) -> None:
    """Another machine has the node's name: nothing is known of it, and nothing serves on it."""
    with store.transaction():
        store.write("UPDATE node SET registered_at = NULL, facts = '{}' WHERE name = ?", (name,))
        store.write(
            "UPDATE assignment SET state = 'pending'"
            " WHERE node_id = (SELECT id FROM node WHERE name = ?)",
            (name,),
        )


def revoke(store: Store, name: str) -> None:
    """The node has no rights any more; what is known of it, and should run on it, stays."""
    now = time.time()
    store.write(
        "UPDATE node SET registered_at = NULL, revoked_at = coalesce(revoked_at, ?) WHERE name = ?",
        (now, name),
    )


def forget(store: Store, names: Sequence[str]) -> None:
    """Take nodes and their settings out; what was recorded of them stays."""
    store.write_all(
        "DELETE FROM setting WHERE level = 'node' AND owner = ?", [(name,) for name in names]
    )
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
        title=row["title"],
        jump=row["jump"],
        metered=bool(row["metered"]),
        tunnel=row["tunnel"],
        revoked=row["revoked_at"] is not None,
        place=None
        if row["place"] is None
        else Place(row["place"], row["latitude"], row["longitude"]),
    )
