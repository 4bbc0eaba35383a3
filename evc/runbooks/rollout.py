"""Bring nodes to a wish: probe → plan → apply → record. Repairs are this path too."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import hardening, plan
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import NodeOutcome, merged
from evc.pure.plan import ImageRef, NodePlan, Wish
from evc.runbooks import assignments, deliver, lending, plays, registry, repair, trust, wishes
from evc.runbooks.follow import Entry, follow
from evc.runbooks.progress import Progress
from evc.runbooks.registry import Registry
from evc.runbooks.releases import Built
from evc.runbooks.survey import Answers, survey


@dataclass(frozen=True)
class Planned:
    """What to do on each node, and why nothing can be done on the others.

    `unknown` are the nodes that cannot tell more before EVC's program is back on them, `cut_off`
    those that do not reach the registry and pull through EVC's own SSH connection.
    """

    nodes: Mapping[str, Node]
    plans: Mapping[str, NodePlan]
    outcomes: Mapping[str, NodeOutcome]
    unknown: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()


def converge(
    fleet: Fleet,
    store: Store,
    built: Built,
    nodes: Sequence[Node],
    progress: Progress,
    answers: Answers | None = None,
    repaired: bool = False,
) -> dict[str, NodeOutcome]:
    """Bring `nodes` to run `built`, whatever is there now; an outcome for each.

    `answers` are theirs of a moment ago. What makes no sense is asked again after EVC's program
    was `repaired` there, once.
    """
    began = time.monotonic()
    planned = prepare(fleet, store, built, nodes, progress, answers, repaired)
    outcomes = {**planned.outcomes, **apply(fleet, planned, progress)}
    seconds = time.monotonic() - began
    urls = {node.name: built.url(node) for node in nodes}
    outcomes = {
        name: replace(one, seconds=seconds, url=urls[name] if one.well else "")
        for name, one in outcomes.items()
    }
    again = [planned.nodes[name] for name in planned.unknown if outcomes[name].well]
    if again:
        then = converge(fleet, store, built, again, progress, repaired=True)
        outcomes = merged([outcomes, then])
    assignments.record(store, built, outcomes)
    return outcomes


def prepare(
    fleet: Fleet,
    store: Store,
    built: Built,
    nodes: Sequence[Node],
    progress: Progress,
    answers: Answers | None = None,
    repaired: bool = False,
) -> Planned:
    """Ask the nodes, unless that was done, and plan; changes nothing."""
    if answers is None:
        nodes, answers = survey(fleet, store, built.release.model, nodes, progress)
    found, problems = wishes.wishes(fleet, store, built, nodes)
    outcomes = {name: NodeOutcome(*problem) for name, problem in problems.items()}
    place, plans, unknown, cut_off = registry.load(fleet).place, {}, [], []
    for node in [node for node in nodes if node.name in found]:
        answer = answers[node.name]
        if isinstance(answer, Observation):
            plans[node.name] = plan.plan(answer, trust.expected(fleet, node), [found[node.name]])
            cut_off += [] if answer.reaches.get(place, True) else [node.name]
        elif answer.reachable and repaired:
            outcomes[node.name] = NodeOutcome("failed", reason=answer.reason)
        elif answer.reachable:
            unknown.append(node.name)
            plans[node.name] = NodePlan((plan.Action("program", answer.reason),))
        else:
            outcomes[node.name] = NodeOutcome(answer.outcome, reason=answer.reason)
    return Planned(
        {node.name: node for node in nodes}, plans, outcomes, tuple(unknown), tuple(cut_off)
    )


def apply(fleet: Fleet, planned: Planned, progress: Progress) -> dict[str, NodeOutcome]:
    """Do the plans; a node's failure stops none of the others."""
    outcomes = {
        name: NodeOutcome("failed" if one.blocked else "nothing", reason=one.blocked)
        for name, one in planned.plans.items()
        if not one.actions
    }
    outcomes |= _repair(fleet, planned, progress)
    for kind in ("pull", "swap"):
        for name, one in _jobs(fleet, planned, kind, outcomes, progress).items():
            before = outcomes.get(name, NodeOutcome("nothing"))
            last = before if one.outcome == "nothing" else one
            outcomes[name] = replace(last, warnings=before.warnings + one.warnings)
    return outcomes


def _actions(planned: Planned, name: str) -> tuple[str, ...]:
    return tuple(str(action) for action in planned.plans[name].actions)


def _repair(fleet: Fleet, planned: Planned, progress: Progress) -> dict[str, NodeOutcome]:
    problems = repair.apply(fleet, planned.nodes, planned.plans, progress)
    return {
        name: NodeOutcome("failed" if problem else "done", _actions(planned, name), problem)
        for name, problem in problems.items()
    }


def _jobs(
    fleet: Fleet,
    planned: Planned,
    kind: str,
    so_far: Mapping[str, NodeOutcome],
    progress: Progress,
) -> dict[str, NodeOutcome]:
    """Give the nodes that need it their order, and follow what they do with it."""
    wanted = {
        name: action.wish
        for name, one in planned.plans.items()
        for action in one.actions
        if action.kind == kind and action.wish and so_far.get(name, NodeOutcome("done")).well
    }
    began = time.monotonic()
    with_files = {name: wish for name, wish in wanted.items() if kind == "swap" and wish.files}
    lacking = deliver.files(fleet, planned.nodes, with_files) if with_files else {}
    orders = {name: _order(fleet, wish) for name, wish in wanted.items() if name not in lacking}
    nodes = {name: planned.nodes[name] for name in orders}
    outcomes = {name: NodeOutcome("failed", reason=why) for name, why in lacking.items()}
    if not orders:
        return outcomes
    for name in nodes:
        progress.node(name, "starting")
    cut_off = [nodes[name] for name in planned.cut_off if name in nodes]
    with lending.lent(fleet, cut_off, registry.load(fleet).place) as ports:
        for name, port in ports.items():
            orders[name]["registry"] = f"127.0.0.1:{port}"
            progress.node(name, "pulling through SSH: it does not reach the registry")
        shared = {"evc_command": kind}
        started = plays.play(fleet, "run_model", list(nodes.values()), shared, orders=orders)
        ends = follow(fleet, nodes, started, lambda name, entry: _show(progress, name, entry))
    seconds = time.monotonic() - began
    return outcomes | {
        name: _outcome(planned, name, kind, end, seconds) for name, end in ends.items()
    }


def _order(fleet: Fleet, wish: Wish) -> dict[str, Any]:
    """What the node's swap program is told; see `evc_node/swap.py`."""
    job = f"{wish.image.digest.removeprefix('sha256:')[:12]}-{time.time_ns():x}"
    reg = registry.load(fleet)
    return {
        "id": job,
        "model": wish.model,
        "release": wish.release,
        "registry": reg.reader,
        "login": reg.reader,
        "image": _named(reg, wish.image),
        "previous": _named(reg, wish.previous) if wish.previous else None,
        "architecture": wish.architecture,
        "container": {"name": f"evc-{wish.model}-{job}", "config": wish.request},
        "health": wish.health,
        "volumes": [asdict(one) for one in wish.volumes],
    }


def _named(reg: Registry, image: ImageRef) -> dict[str, Any]:
    return {**asdict(image), "repository": reg.repository(image.repository)}


# Step reached → what comes next.
_DOING = {
    "begin": "looking for the image",
    "pull": "pulling",
    "create": "stopping what ran before",
    "stop-old": "starting",
    "start": "waiting for health",
    "healthy": "healthy",
    "commit": "making it permanent",
    "promote": "making it permanent",
    "retire": "making it permanent",
    "done": "serving",
    "reverted": "reverted",
}


def _show(progress: Progress, name: str, entry: Entry) -> None:
    doing = _DOING.get(entry["step"]) or str(entry["step"])
    if entry.get("health"):
        doing = f"{doing}: {str(entry['health'])[:80]}"
    done, total = entry.get("done"), entry.get("total")
    if isinstance(done, int) and isinstance(total, int):
        progress.node(name, doing, done, total)
    else:
        progress.node(name, doing)


def _outcome(planned: Planned, name: str, kind: str, end: Entry, seconds: float) -> NodeOutcome:
    actions = _actions(planned, name)
    reason = str(end.get("reason", ""))[:600]
    if end["step"] == "done":
        return NodeOutcome("done", actions, "", seconds)
    if end["step"] == "lost":
        return NodeOutcome("pending", actions, f"connection lost: {reason}", seconds)
    if end["step"] == "reverted":
        kept = "the old one serves on" if end.get("serving") else "nothing serves"
        logs = str(end.get("logs", ""))
        key = hardening.advice(f"{logs}\n{reason}", _request(planned, name))
        return NodeOutcome("failed", actions, f"{reason}; {kept}{key}", seconds, logs)
    if kind == "pull":  # what is wished can serve all the same
        why = f"the previous release's image cannot be fetched, a rollback would need it: {reason}"
        return NodeOutcome("nothing", warnings=(why,))
    return NodeOutcome("failed", actions, reason, seconds)


def _request(planned: Planned, name: str) -> dict[str, Any]:
    """How the new container ran on a node."""
    wishes_there = [one.wish for one in planned.plans[name].actions if one.kind == "swap"]
    return next((wish.request for wish in wishes_there if wish), {})
