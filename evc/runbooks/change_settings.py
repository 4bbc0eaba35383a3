"""Change settings and bring the nodes where they hold to them, as a release would be."""

from __future__ import annotations

from collections.abc import Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.outcomes import Outcome
from evc.pure.settings import Scope, Setting
from evc.runbooks import audit, settings, sync
from evc.runbooks import nodes as inventory
from evc.runbooks.progress import Progress


def change(
    fleet: Fleet, store: Store, wanted: Sequence[Setting], applying: bool, progress: Progress
) -> Outcome:
    """Keep `wanted`, all of one scope, and (`applying`) roll them out where they hold.

    Raises BadInput for a node or group that is not there.
    """
    scope = wanted[0].scope
    nodes = _nodes(store, scope)
    if not nodes and scope.level != "fleet":
        remedy = "`evc node list` and `evc group list` show what there is"
        raise BadInput(f"there is no {scope.level} {scope.owner!r}", remedy)
    settings.keep(fleet, store, wanted)
    audit.record(store, f"set {' '.join(one.key for one in wanted)} ({scope})", {}, "done")
    return sync.sync(fleet, store, nodes, progress, scope.model) if applying else Outcome()


def unset(
    fleet: Fleet, store: Store, scope: Scope, key: str, applying: bool, progress: Progress
) -> Outcome:
    """Forget the setting of exactly `scope`; raises BadInput when there is none."""
    if not settings.forget(store, scope, key):
        raise BadInput(f"{key[:80]} is not set ({scope})", "`evc config list` shows what is")
    audit.record(store, f"unset {key} ({scope})", {}, "done")
    nodes = _nodes(store, scope)
    return sync.sync(fleet, store, nodes, progress, scope.model) if applying else Outcome()


def _nodes(store: Store, scope: Scope) -> list[Node]:
    def within(node: Node) -> bool:
        if scope.level == "group":
            return scope.owner in node.groups
        return scope.level == "fleet" or node.name == scope.owner

    return [node for node in inventory.everyone(store) if within(node)]
