"""Another machine, or the same one reflashed, under a node's name: it takes the node's place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKey
from evc.doors.store import Store
from evc.pure.errors import Locked
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome, merged
from evc.runbooks import audit, host_keys, plays, register, registry, sync
from evc.runbooks import nodes as inventory
from evc.runbooks.progress import Progress
from evc.runbooks.register import Options


def replace_node(
    fleet: Fleet,
    store: Store,
    before: Node,
    after: Node,
    key: HostKey,
    sudo: Mapping[str, Path],
    options: Options,
    progress: Progress,
) -> Outcome:
    """Pin `key`, register the machine at its place, and bring it what the node should run.

    Groups, labels, settings and history are the node's, and stay.
    """
    inventory.refuse_edited(fleet)
    with fleet.lock("nodes"):
        registry.ensure(fleet, progress.say)
        node = _put_in_place(fleet, store, before, after, key)
        done = register.register(fleet, store, register.with_sudo([node], sudo), progress, options)
    outcomes = [done]
    if done[node.name].well:
        outcomes.append(_converge(fleet, store, node.name, progress))
    outcome = Outcome(merged(outcomes))
    audit.record(store, f"node replace {node.name}", outcome.nodes, outcome.word)
    return outcome


def _put_in_place(fleet: Fleet, store: Store, before: Node, after: Node, key: HostKey) -> Node:
    inventory.save(store, [after])
    inventory.forget_registration(store, after.name)
    host_keys.unpin(fleet, [before])
    host_keys.repin(fleet, key)
    plays.forget_connections(fleet)
    inventory.render_inventory(fleet, store)
    return inventory.named(store, after.name)


def _converge(fleet: Fleet, store: Store, name: str, progress: Progress) -> dict[str, NodeOutcome]:
    """Bring the node, whose facts are known now, every release that it should run."""
    try:
        return sync.sync(fleet, store, [inventory.named(store, name)], progress).nodes
    except Locked as error:
        return {name: NodeOutcome("pending", reason=str(error))}
