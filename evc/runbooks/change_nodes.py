"""Change what the inventory says of nodes; no machine is contacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.pure.inventory import Node, Place
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, host_keys
from evc.runbooks import nodes as inventory


@dataclass(frozen=True)
class Change:
    """What to change on nodes; None and empty leave things as they are."""

    title: str | None = None
    address: str | None = None
    port: int | None = None
    metered: bool | None = None
    place: Place | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    unlabel: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    ungroup: frozenset[str] = frozenset()


def change(
    fleet: Fleet, store: Store, nodes: Sequence[Node], wanted: Change, command: str
) -> Outcome:
    """Make the change on each of `nodes`; one that moved keeps its pinned host key."""
    inventory.refuse_edited(fleet)
    with fleet.lock("nodes"):
        pairs = [(node, changed(node, wanted)) for node in nodes]
        inventory.save(store, [after for before, after in pairs if after != before])
        host_keys.move(fleet, pairs)
        inventory.render_inventory(fleet, store)
        outcome = Outcome({before.name: _outcome(before, after) for before, after in pairs})
        if outcome.word != "nothing":
            audit.record(store, command, outcome.nodes, outcome.word)
    return outcome


def changed(node: Node, wanted: Change) -> Node:
    """The node as it will be; raises BadInput for an address of the controller itself."""
    if node.local and (wanted.address or wanted.port):
        raise BadInput(f"{node.name} is this machine: it has no address")
    labels = {**node.labels, **wanted.labels}
    return replace(
        node,
        title=node.title if wanted.title is None else wanted.title,
        address=wanted.address or node.address,
        port=wanted.port or node.port,
        tunnel="" if wanted.address or wanted.port else node.tunnel,
        metered=node.metered if wanted.metered is None else wanted.metered,
        place=wanted.place or node.place,
        labels={key: value for key, value in labels.items() if key not in wanted.unlabel},
        groups=tuple(sorted({*node.groups, *wanted.groups} - wanted.ungroup)),
    )


def _outcome(before: Node, after: Node) -> NodeOutcome:
    words = ("title", "address", "port", "metered", "place", "labels", "groups")
    done = tuple(word for word in words if getattr(before, word) != getattr(after, word))
    return NodeOutcome("done" if done else "nothing", done)
