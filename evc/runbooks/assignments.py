"""Deployments in the database: what each node should run, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from evc.doors.store import Row, Store
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome
from evc.runbooks.releases import Built

_STATES = {"done": "serving", "nothing": "serving", "pending": "pending", "failed": "failed"}


def wish(store: Store, built: Built, selector: str, nodes: list[Node]) -> None:
    """Note that `nodes` shall run `built`; what served before becomes their previous release."""
    now = time.time()
    with store.transaction():
        deployment = _deployment(store, built, selector, now)
        for node in nodes:
            store.write(
                "INSERT INTO assignment (node_id, model, deployment_id, changed_at)"
                " VALUES (:node, :model, :deployment, :now)"
                " ON CONFLICT (node_id, model) DO UPDATE SET deployment_id = :deployment,"
                " previous_release_id = (SELECT iif(assignment.state = 'serving'"
                "   AND release_id <> :release, release_id, previous_release_id)"
                "   FROM deployment WHERE deployment.id = assignment.deployment_id),"
                " state = iif(deployment_id = :deployment, state, 'pending'), changed_at = :now"
                " WHERE deployment_id <> :deployment",
                {
                    "node": node.id,
                    "model": built.release.model,
                    "deployment": deployment,
                    "release": built.id,
                    "now": now,
                },
            )


def _deployment(store: Store, built: Built, selector: str, now: float) -> int:
    """The standing deployment of this release on this selector, or a new one."""
    if found := _standing(store, built, selector):
        return found
    store.write(
        "UPDATE deployment SET superseded_at = ? WHERE model = ? AND selector = ?"
        " AND superseded_at IS NULL",
        (now, built.release.model, selector),
    )
    return store.write(
        "INSERT INTO deployment (model, release_id, selector, created_at) VALUES (?, ?, ?, ?)",
        (built.release.model, built.id, selector, now),
    )


def stands(store: Store, built: Built, selector: str) -> bool:
    """Whether `built` is the newest wish for exactly this selector."""
    return _standing(store, built, selector) is not None


def _standing(store: Store, built: Built, selector: str) -> int | None:
    row = store.row(
        "SELECT id FROM deployment WHERE model = ? AND release_id = ? AND selector = ?"
        " AND superseded_at IS NULL",
        (built.release.model, built.id, selector),
    )
    return int(row["id"]) if row else None


def record(store: Store, built: Built, outcomes: Mapping[str, NodeOutcome]) -> None:
    """Note how a release's rollout ended on each node that shall run it."""
    store.write_all(
        "UPDATE assignment SET state = ?, reason = ?, changed_at = ?"
        " WHERE node_id = (SELECT id FROM node WHERE name = ?)"
        " AND deployment_id IN (SELECT id FROM deployment WHERE release_id = ?)",
        [
            (_STATES[one.outcome], one.reason, time.time(), name, built.id)
            for name, one in outcomes.items()
        ],
    )


def previous(store: Store, node: Node, built: Built) -> int | None:
    """The release that `node` ran before `built`, or None."""
    row = store.row(
        "SELECT previous_release_id FROM assignment WHERE node_id = ? AND model = ?",
        (node.id, built.release.model),
    )
    found = row["previous_release_id"] if row else None
    return int(found) if found and found != built.id else None


def digests(store: Store, nodes: Sequence[Node], model: str) -> dict[str, list[str]]:
    """Node → the images of what it should run and ran before: one of them a rollback needs."""
    rows = store.rows(
        "SELECT DISTINCT node_id, digest FROM assignment"
        " JOIN deployment ON deployment.id = deployment_id"
        " JOIN release_image ON release_image.release_id"
        "   IN (deployment.release_id, previous_release_id)"
        " WHERE assignment.model = ?",
        (model,),
    )
    return {
        node.name: [row["digest"] for row in rows if row["node_id"] == node.id] for node in nodes
    }


def standing(store: Store) -> list[Row]:
    """The deployments in force, with their nodes' states."""
    return store.rows(
        "SELECT deployment.id, deployment.model, selector,"
        " release.version || '+' || substr(hash, 1, 12) AS release,"
        " sum(assignment.state = 'serving') AS done, sum(assignment.state = 'pending') AS pending,"
        " sum(assignment.state = 'failed') AS failed"
        " FROM deployment JOIN assignment ON assignment.deployment_id = deployment.id"
        " JOIN release ON release.id = deployment.release_id"
        " GROUP BY deployment.id ORDER BY deployment.id"
    )


def wanted(
    store: Store, nodes: Sequence[Node], model: str = "", hopeless: bool = True
) -> dict[tuple[str, int], list[Node]]:
    """What `nodes` should run: (model, release's id) → the nodes; of `model` alone, or of all.

    Without the `hopeless` those are left out that failed, and of which nothing served before.
    """
    rows = store.rows(
        "SELECT node_id, assignment.model, release_id FROM assignment"
        " JOIN deployment ON deployment.id = deployment_id"
        " WHERE ? IN ('', assignment.model)"
        " AND (? OR state <> 'failed' OR previous_release_id IS NOT NULL)"
        " ORDER BY assignment.model, release_id",
        (model, hopeless),
    )
    by_id = {node.id: node for node in nodes}
    found: dict[tuple[str, int], list[Node]] = {}
    for row in rows:
        if row["node_id"] in by_id:
            release = (str(row["model"]), int(row["release_id"]))
            found.setdefault(release, []).append(by_id[row["node_id"]])
    return found
