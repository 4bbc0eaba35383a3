"""A lab's nodes as rows of the inventory. A row is the lab's when its login is the lab's key."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.runbooks.lab import logins as lab_logins
from evc.runbooks.lab.nodes import GROUPS, LabNode

UPSERT = """
INSERT INTO node (name, address, port, login_user, login_key, sudo_file, is_builder, is_edge,
                  added_at)
VALUES (:name, :address, :port, :login_user, :login_key, :sudo_file, :is_builder, :is_edge, :now)
ON CONFLICT (name) DO UPDATE SET address = excluded.address, port = excluded.port,
  login_user = excluded.login_user, login_key = excluded.login_key, sudo_file = excluded.sudo_file
"""
JOIN = """
INSERT OR IGNORE INTO membership (node_id, group_name)
SELECT id, :group FROM node WHERE name = :name
"""


def refuse_foreign(store: Store, fleet: Fleet, nodes: Sequence[LabNode]) -> None:
    """Raise BadInput when the inventory has nodes of someone else by the names of `nodes`."""
    names = {*GROUPS.values(), *(node.name for node in nodes)}
    places = {(node.address, node.port) for node in nodes}
    key = str(lab_logins.key_file(fleet))
    taken = [
        row["name"]
        for row in store.rows("SELECT name, address, port, login_key FROM node ORDER BY name")
        if row["login_key"] != key
        and (row["name"] in names or (row["address"], row["port"]) in places)
    ]
    if taken:
        remedy = "use another fleet folder for the lab, or `evc node remove` them"
        raise BadInput(f"not of this lab, but in its way: {', '.join(taken)}", remedy)


def forget_registration(store: Store, nodes: Iterable[LabNode]) -> None:
    """A new container at a known name is a machine that EVC has not registered."""
    names = [(node.name,) for node in nodes]
    store.write_all("UPDATE node SET registered_at = NULL WHERE name = ?", names)


def record(store: Store, fleet: Fleet, node: LabNode) -> None:
    """Write `node` and its group; what EVC has learnt of it since is kept."""
    sudo = lab_logins.sudo_file(fleet, node)
    values = {
        "name": node.name,
        "address": node.address,
        "port": node.port,
        "login_user": node.user,
        "login_key": str(lab_logins.key_file(fleet)),
        "sudo_file": str(sudo) if sudo else None,
        "is_builder": int(node.role == "builder"),
        "is_edge": int(node.role == "edge"),
        "now": time.time(),
    }
    with store.transaction():
        store.write(UPSERT, values)
        store.write(JOIN, {"group": GROUPS[node.role], "name": node.name})


def remove(store: Store, fleet: Fleet, nodes: Iterable[LabNode]) -> None:
    """Remove the rows of this lab's nodes, and no other."""
    with store.transaction():
        store.write("DELETE FROM node WHERE login_key = ?", (str(lab_logins.key_file(fleet)),))
        for node in nodes:
            place = (node.name, node.address)
            store.write("DELETE FROM node WHERE name = ? AND address = ?", place)
