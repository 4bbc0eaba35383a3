"""The containers of a lab: found, made, repaired, removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evc.doors import docker as engine
from evc.doors.docker import Say
from evc.runbooks.lab.nodes import LabNode
from evc.runbooks.lab.spec import LabSpec, login_archive, options


@dataclass(frozen=True)
class Found:
    """A node's container as it is."""

    id: str
    name: str  # of the node
    state: str
    mark: str
    networks: frozenset[str]
    with_engine: bool


def find(fleet_id: str) -> dict[str, Found]:
    """The containers of a lab's nodes, by the name of the node, builders first."""
    mine = _labelled(f"evc.lab={fleet_id}", "evc.lab.node")
    listed = engine.connect().containers.list(all=True, filters=mine, ignore_removed=True)
    found = sorted((_read(container.attrs) for container in listed), key=lambda one: one.name)
    return {one.name: one for one in found}


def make(spec: LabSpec, node: LabNode, password: str | None) -> None:
    """Start a new container for `node` in place of what was there."""
    client, name = engine.connect(), spec.container(node)
    mine = _labelled(f"evc.lab={spec.fleet_id}", f"evc.lab.node={node.name}")
    for old in client.containers.list(all=True, filters=mine, ignore_removed=True):
        old.remove(force=True, v=True)
    for volume in client.volumes.list(filters=mine):
        volume.remove()
    if spec.with_engine:
        client.volumes.create(name, labels=spec.labels(node))
    made = client.api.create_container(**options(spec, node))
    client.api.put_archive(made["Id"], "/", login_archive(spec, node, password))
    client.api.start(made["Id"])


def repair(spec: LabSpec, node: LabNode, found: Found) -> bool:
    """Connect, thaw and start the container of `node`; False when it needed none of that."""
    client = engine.connect()
    connected = spec.network.name in found.networks
    if not connected:
        network = client.networks.get(spec.network.id)
        network.connect(found.id, ipv4_address=node.address)
    if found.state == "paused":
        client.api.unpause(found.id)
    elif found.state != "running":
        client.api.start(found.id)
    return not connected or found.state != "running"


def last_log_lines(spec: LabSpec, node: LabNode) -> str:
    """What the container of `node` said last."""
    try:
        return engine.connect().api.logs(spec.container(node), tail=10).decode(errors="replace")
    except OSError as error:
        return explain(error)


def remove_all(fleet_id: str, say: Say) -> bool:
    """Remove every container and volume with the lab's label; False when there were none."""
    client, mine = engine.connect(), _labelled(f"evc.lab={fleet_id}")
    containers = client.containers.list(all=True, filters=mine, ignore_removed=True)
    for container in containers:
        say(f"removing {container.name}")
        container.remove(force=True, v=True)
    volumes = client.volumes.list(filters=mine)
    for volume in volumes:
        volume.remove()
    return bool(containers or volumes)


def explain(error: BaseException) -> str:
    """What the engine said; the SDK's errors are OSErrors."""
    return str(getattr(error, "explanation", None) or error)


def _labelled(*labels: str) -> dict[str, Any]:
    return {"label": list(labels)}


def _read(attrs: dict[str, Any]) -> Found:
    labels = attrs["Config"]["Labels"]
    return Found(
        id=attrs["Id"],
        name=labels["evc.lab.node"],
        state=attrs["State"]["Status"],
        mark=labels.get("evc.lab.mark", ""),
        networks=frozenset(attrs["NetworkSettings"]["Networks"] or {}),
        with_engine="no-engine" not in (attrs["Config"]["Cmd"] or []),
    )
