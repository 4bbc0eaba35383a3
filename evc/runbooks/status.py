"""What runs where, asked of the nodes now; nothing of it is believed from the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.inventory import Node
from evc.pure.observations import Container, Observation
from evc.runbooks import assignments, releases
from evc.runbooks import nodes as inventory
from evc.runbooks.latest import latest
from evc.runbooks.probe import Answer, Silent, probe


def status(fleet: Fleet, store: Store, nodes: Sequence[Node]) -> dict[str, Any]:
    """The document of `evc status -o json`."""
    asked = [node for node in nodes if node.registered]
    answers: dict[str, Answer] = probe(fleet, asked)
    inventory.refresh(store, answers)
    budget = fleet.config().metered.budget
    return {
        "nodes": [
            {
                **_node(store, node, answers.get(node.name, Silent(node.unusable))),
                "link_budget": budget if node.metered else None,
            }
            for node in nodes
        ],
        "deployments": [_deployment(row) for row in assignments.standing(store)],
    }


def _node(store: Store, node: Node, answer: Answer) -> dict[str, Any]:
    seen = answer if isinstance(answer, Observation) else None
    return {
        "name": node.name,
        "title": node.title,
        "roles": node.roles,
        "groups": list(node.groups),
        "labels": dict(node.labels),
        "arch": node.architecture,
        "up": seen is not None,
        "reason": "" if isinstance(answer, Observation) else answer.reason,
        **latest(store, node.name),
        "models": [_model(store, node, one) for one in seen.models] if seen else [],
    }


def _model(store: Store, node: Node, one: Container) -> dict[str, Any]:
    version = one.release.partition("+")[0]
    built = releases.labelled(store, one.model, one.release)
    well = one.running and one.health in ("", "healthy")
    return {
        "model": one.model,
        "version": version,
        "release": one.release,
        "digest": one.digest,
        "state": "serving" if well else "failed",
        "url": built.url(node) if built else "",
    }


def _deployment(row: dict[str, Any]) -> dict[str, Any]:
    state = "failed" if row["failed"] else "pending" if row["pending"] else "serving"
    return {
        "model": row["model"],
        "release": row["release"],
        "on": row["selector"],
        "state": state,
        "done": row["done"],
        "pending": row["pending"],
        "failed": row["failed"],
    }
