"""Bring this release's agent to nodes, and start it."""

from __future__ import annotations

from collections.abc import Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, plays, trust


def install(fleet: Fleet, store: Store, nodes: Sequence[Node]) -> Outcome:
    """Bring the agent to `nodes` now; an outcome for each."""
    parts = {node.name: ["program", "mark"] for node in nodes}
    each, orders = trust.each(fleet, nodes, parts), trust.orders(fleet, nodes, parts)
    results = plays.play(fleet, "get_logs", nodes, trust.variables(fleet), each, orders)
    outcome = Outcome(
        {
            name: NodeOutcome("done" if one.ok else "failed", ("agent",), one.message)
            for name, one in results.items()
        }
    )
    audit.record(store, "logger --install", outcome.nodes, outcome.word)
    return outcome
