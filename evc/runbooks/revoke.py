"""End a node's rights: its registry login, its tunnel, its place among those that commands use.

The machine itself is not asked: it may be stolen.
"""

from __future__ import annotations

from dataclasses import dataclass

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.pure.settings import holds
from evc.runbooks import (
    assignments,
    audit,
    host_keys,
    plays,
    releases,
    rendezvous,
    settings,
    trust,
)
from evc.runbooks import nodes as inventory
from evc.runbooks.registry import another, logins


@dataclass(frozen=True)
class Held:
    """Something that the node had, and what to do now that it may be in other hands."""

    what: str
    remedy: str


def revoke(fleet: Fleet, store: Store, node: Node) -> tuple[Outcome, list[Held]]:
    """End what `node` may do; again goes on with what could not be ended.

    The outcome, and what it held that EVC cannot take back.
    """
    with fleet.lock("nodes"):
        trust.end_logins(fleet, [node.name])
        logins.renew_own(fleet)
        inventory.revoke(store, node.name)
        plays.forget_connections(fleet)
        outcome = Outcome({node.name: _end_tunnel(fleet, node)})
        audit.record(store, f"node revoke {node.name}", outcome.nodes, outcome.word)
    return outcome, _logins(fleet, node) + held(store, node)


def _logins(fleet: Fleet, node: Node) -> list[Held]:
    """In another registry than EVC's own all nodes share a login, which is not EVC's to end."""
    other = another.find(fleet)
    if not other:
        return []
    what = f"the login of all {'builders' if node.builder else 'nodes'} at {other.host}"
    return [Held(what, "end it there, then evc registry login")]


def held(store: Store, node: Node) -> list[Held]:
    """What a node has that stays in the hands of whoever has it."""
    found, models = [], []
    for model, release in assignments.wanted(store, [node]):
        models.append(model)
        label = releases.by_id(store, release).release.label
        remedy = "its code and weights are there; change what they contain that is secret"
        found.append(Held(f"the image {model} {label}", remedy))
    for scope, key in settings.secrets(store):
        if any(holds(scope, node.name, node.groups, model) for model in models):
            remedy = "give it another value where it comes from, then evc secret set, evc sync"
            found.append(Held(f"the secret {key} ({scope})", remedy))
    if node.sudo_file:
        remedy = "change it on every machine that has the same"
        found.append(Held(f"the sudo password in {node.sudo_file}", remedy))
    return found


def _end_tunnel(fleet: Fleet, node: Node) -> NodeOutcome:
    """How the revocation ended: all but the tunnel is the controller's own matter, and done."""
    done = ("registration",) if another.find(fleet) else ("registration", "registry login")
    if not node.tunnel:
        return NodeOutcome("done", done)
    try:
        rendezvous.ask(fleet, node.tunnel, "close", name=node.name)
    except EvcError as error:
        reason = f"its tunnel is not ended: {error.message}; evc node revoke {node.name} again"
        return NodeOutcome("failed", done, reason)
    host_keys.unpin(fleet, [node])  # its port may become another node's
    return NodeOutcome("done", (*done, "tunnel"))
