"""Bring nodes to what they should run: every model's standing wish, by the one path."""

from __future__ import annotations

from collections.abc import Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import Locked
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome, merged
from evc.runbooks import assignments, audit, registry, releases, rollout
from evc.runbooks import nodes as inventory
from evc.runbooks.progress import Progress


def sync(
    fleet: Fleet, store: Store, nodes: Sequence[Node], progress: Progress, model: str = ""
) -> Outcome:
    """Converge `nodes` to the releases they should run, of `model` alone or of all.

    Raises Locked, when the rest is done, if another command works on one of the models.
    """
    inventory.refuse_edited(fleet)
    wanted = assignments.wanted(store, nodes, model)
    outcomes: list[dict[str, NodeOutcome]] = []
    locked: list[Locked] = []
    if wanted:
        registry.ensure(fleet, progress.say)
    for (name, release), chosen in wanted.items():
        try:
            with fleet.lock(f"deploy-{name}"):
                built = releases.by_id(store, release)
                outcomes.append(rollout.converge(fleet, store, built, chosen, progress))
        except Locked as error:
            locked.append(error)
    outcome = Outcome(merged(outcomes))
    if outcome.word != "nothing":
        audit.record(store, f"sync {model}".strip(), outcome.nodes, outcome.word)
    inventory.render_inventory(fleet, store)
    if locked:
        raise locked[0]
    return outcome
