"""Bring back what every registered node has: EVC's program, the CA, the login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evc.doors.fleet import Fleet
from evc.pure import plan
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.plan import NodePlan
from evc.runbooks import plays, trust
from evc.runbooks.probe import Answer, probe
from evc.runbooks.progress import Progress


def mend(fleet: Fleet, nodes: Sequence[Node], progress: Progress) -> dict[str, str]:
    """Probe `nodes` and repair them; node → why it cannot be used, for those that cannot."""
    answers = probe(fleet, nodes)
    plans = {node.name: _plan(fleet, node, answers[node.name]) for node in nodes}
    problems = apply(fleet, {node.name: node for node in nodes}, plans, progress)
    found = {name: one.blocked or problems.get(name, "") for name, one in plans.items()}
    return {name: problem for name, problem in found.items() if problem}


def _plan(fleet: Fleet, node: Node, answer: Answer) -> NodePlan:
    if isinstance(answer, Observation):
        return plan.plan(answer, trust.expected(fleet, node), [])
    if answer.reachable:
        return NodePlan((plan.Action("program", answer.reason),))
    return NodePlan(blocked=answer.reason)


def apply(
    fleet: Fleet, nodes: Mapping[str, Node], plans: Mapping[str, NodePlan], progress: Progress
) -> dict[str, str]:
    """Do the repairs among the plans; by node that had any, what went wrong or ''."""
    parts = {
        name: [action.kind for action in one.actions if action.kind in plan.REPAIRS]
        for name, one in plans.items()
    }
    broken = [nodes[name] for name, kinds in parts.items() if kinds]
    if not broken:
        return {}
    for node in broken:
        progress.node(node.name, f"repairing {', '.join(parts[node.name])}")
    shared, each = trust.variables(fleet), trust.each(fleet, broken, parts)
    results = plays.play(fleet, "repair", broken, shared, each, trust.orders(fleet, broken, parts))
    return {name: one.message for name, one in results.items()}
