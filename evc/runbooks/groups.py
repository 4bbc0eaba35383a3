"""Groups of nodes: fixed sets, and saved selectors that are asked anew each time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import selectors
from evc.pure.errors import BadInput
from evc.runbooks import audit, change_nodes
from evc.runbooks import nodes as inventory
from evc.runbooks.change_nodes import Change


@dataclass(frozen=True)
class Group:
    """A group and who is in it now; `selector` is '' for a fixed set."""

    name: str
    selector: str
    nodes: tuple[str, ...]


def everything(store: Store) -> list[Group]:
    """All groups, by name."""
    nodes, saved = inventory.everyone(store), inventory.saved_selectors(store)
    members = inventory.members(nodes, saved)
    found = [Group(name, saved[name], tuple(sorted(members[name]))) for name in saved]
    for name in {group for node in nodes for group in node.groups}:
        found.append(Group(name, "", tuple(one.name for one in nodes if name in one.groups)))
    return sorted(found, key=lambda group: group.name)


def named(store: Store, name: str) -> Group:
    """One group; raises BadInput when there is none."""
    for group in everything(store):
        if group.name == name:
            return group
    raise BadInput(f"there is no group {name[:80]!r}", "`evc group list` shows what there is")


def create(fleet: Fleet, store: Store, name: str, selector: str, saved: bool) -> Group:
    """A fixed set of the nodes that `selector` means now (added to what is in it), or a saved one.

    Raises BadInput for a name that is taken otherwise.
    """
    if saved:
        _save(store, name, selector)
    else:
        if name in inventory.saved_selectors(store):
            raise BadInput(f"{name} is a saved selector", f"evc group remove {name}")
        nodes = inventory.selected(store, selector)
        wanted = Change(groups=frozenset([name]))
        change_nodes.change(fleet, store, nodes, wanted, f"group create {name}")
    return named(store, name)


def remove(fleet: Fleet, store: Store, name: str) -> Group:
    """The group that is no more; its nodes stay."""
    group = named(store, name)
    if group.selector:
        store.write("DELETE FROM saved_selector WHERE name = ?", (name,))
        audit.record(store, f"group remove {name}", {}, "done")
    else:
        nodes = [node for node in inventory.everyone(store) if node.name in group.nodes]
        wanted = Change(ungroup=frozenset([name]))
        change_nodes.change(fleet, store, nodes, wanted, f"group remove {name}")
    return group


def _save(store: Store, name: str, selector: str) -> None:
    nodes = inventory.everyone(store)
    _refuse_taken(name, [*(node.name for node in nodes), *(g for n in nodes for g in n.groups)])
    selector = selectors.check(selector)
    # Names and groups in it must be there today; saved selectors are not among them.
    selectors.select(selector, [node.selectable for node in nodes])
    store.write(
        "INSERT INTO saved_selector VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET selector = excluded.selector",
        (name, selector, time.time()),
    )
    audit.record(store, f"group create {name} --saved --on {selector}", {}, "done")


def _refuse_taken(name: str, taken: Sequence[str]) -> None:
    if name in taken:
        raise BadInput(f"{name} is the name of a node or a fixed group", "choose another name")
