"""A lab: real nodes as containers, each with its own sshd, engine and cron, reached over SSH.

`up` makes what is missing and repairs what is there; `down` removes what carries the lab's label.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from threading import Event

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.docker import Say
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit
from evc.runbooks import nodes as known_nodes
from evc.runbooks.lab import camera as lab_camera
from evc.runbooks.lab import containers as lab_containers
from evc.runbooks.lab import image as lab_image
from evc.runbooks.lab import inventory as lab_inventory
from evc.runbooks.lab import logins as lab_logins
from evc.runbooks.lab import network as lab_network
from evc.runbooks.lab import nodes as lab_nodes
from evc.runbooks.lab import wait as lab_wait
from evc.runbooks.lab.containers import Found
from evc.runbooks.lab.network import LabNetwork
from evc.runbooks.lab.nodes import LabNode
from evc.runbooks.lab.spec import LabSpec

AT_ONCE = 8


@dataclass(frozen=True)
class NodeStatus:
    """One node of a lab as it is now."""

    name: str
    role: str
    address: str
    port: int
    login: str
    sudo: str
    state: str
    engine: str


@dataclass(frozen=True)
class _Repair:
    """One node, its container when there is one, and whether only a new one will do."""

    node: LabNode
    found: Found | None
    anew: bool


def up(
    fleet: Fleet, edges: int, builders: int, with_engine: bool, say: Say, camera: bool = False
) -> list[str]:
    """Make or repair a lab of at least so many nodes; the names of those that changed.

    With a `camera` its first node serves a stream.

    Raises EvcError naming the nodes that do not answer; the others are up and recorded.
    """
    with fleet.lock("lab"), _explained(), _database(fleet) as database:
        spec = _spec(fleet, with_engine, say)
        found = lab_containers.find(fleet.id)
        nodes = _nodes(spec, edges, builders, found)
        lab_inventory.refuse_foreign(database, fleet, nodes)
        known_nodes.render_inventory(fleet, database)
        stale = [node for node in nodes if not _fits(fleet, spec, node, found.get(node.name))]
        lab_inventory.forget_registration(database, stale)
        lab_logins.forget_host_keys(fleet, stale)
        repairs = [_Repair(node, found.get(node.name), node in stale) for node in nodes]
        outcomes = _bring_up(fleet, database, spec, repairs, say)
        _note(fleet, database, "lab up", outcomes)
        changed = _changed(outcomes)
        if camera and nodes:
            url = lab_camera.up(spec, nodes[0])
            say(f"A camera: evc config set CAMERA={url} --group lab")
    return changed


def down(fleet: Fleet, say: Say) -> bool:
    """Remove the lab: containers, volumes, rows, logins, network. False when there was none."""
    with fleet.lock("lab"), _explained():
        network = lab_network.find(fleet.id)
        nodes = _of(network, lab_containers.find(fleet.id))
        removed = lab_containers.remove_all(fleet.id, say)
        with _database(fleet) as database:
            lab_inventory.remove(database, fleet, nodes)
            lab_logins.forget_host_keys(fleet, nodes)
            lab_logins.remove(fleet)
            removed = lab_network.remove(fleet.id) or removed
            if removed:
                gone = {node.name: NodeOutcome("done", ("remove",)) for node in nodes}
                _note(fleet, database, "lab down", gone)
        return removed


def status(fleet: Fleet) -> list[NodeStatus]:
    """Every node of the lab as it is now, its engine asked."""
    with _explained():
        network = lab_network.find(fleet.id)
        found = lab_containers.find(fleet.id)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda node: _look(node, found[node.name]), _of(network, found)))


def gateway(fleet: Fleet) -> str | None:
    """The address under which the lab's nodes reach this machine; None when there is no lab."""
    with _explained():
        network = lab_network.find(fleet.id)
        return network.gateway if network else None


def _bring_up(
    fleet: Fleet, database: Store, spec: LabSpec, repairs: Sequence[_Repair], say: Say
) -> dict[str, NodeOutcome]:
    outcomes = {}
    with _workers() as (pool, stop):
        jobs = {pool.submit(_node_up, fleet, spec, one, stop): one.node for one in repairs}
        for job in as_completed(jobs):
            node, outcome = jobs[job], _outcome(job)
            outcomes[node.name] = outcome
            if outcome.well:
                lab_inventory.record(database, fleet, node)
            if outcome.actions:
                say(f"{node.name} is up: {node.login}")
    return outcomes


def _node_up(fleet: Fleet, spec: LabSpec, repair: _Repair, stop: Event) -> bool:
    """Bring one node up and wait until it answers; False when it was up already."""
    node, changed = repair.node, True
    if repair.anew or not repair.found:
        lab_containers.make(spec, node, lab_logins.new_password(fleet, node))
    else:
        changed = lab_containers.repair(spec, node, repair.found)
    try:
        lab_wait.ready(node, spec.container(node) if spec.with_engine else None, stop)
    except EvcError as error:
        raise EvcError(f"{error}\n{lab_containers.last_log_lines(spec, node)}") from None
    return changed


@contextlib.contextmanager
def _workers() -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads, and the event that ends their waiting when this one is interrupted."""
    pool, stop = ThreadPoolExecutor(AT_ONCE), Event()
    try:
        yield pool, stop
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _spec(fleet: Fleet, with_engine: bool, say: Say) -> LabSpec:
    image = lab_image.image(say)
    network = lab_network.make(fleet.id)
    servers = tuple(lab_network.name_servers())
    return LabSpec(fleet.id, network, image, lab_logins.public_key(fleet), with_engine, servers)


def _nodes(spec: LabSpec, edges: int, builders: int, found: dict[str, Found]) -> list[LabNode]:
    """The wanted nodes, and those that are there beyond them."""
    wanted = lab_nodes.wanted(spec.network.subnet, edges, builders)
    return wanted + [node for node in _of(spec.network, found) if node not in wanted]


def _of(network: LabNetwork | None, found: dict[str, Found]) -> list[LabNode]:
    nodes = [lab_nodes.named(name, network.subnet) for name in found] if network else []
    return [node for node in nodes if node]


def _fits(fleet: Fleet, spec: LabSpec, node: LabNode, found: Found | None) -> bool:
    """Whether the container that is there can serve as `node`: same login, network and kind."""
    if not found or found.state in ("created", "dead") or found.mark != spec.mark(node):
        return False
    password = lab_logins.sudo_file(fleet, node)
    return not password or password.exists()


def _look(node: LabNode, found: Found) -> NodeStatus:
    version = lab_wait.engine_version(found.id) if found.state == "running" else None
    if not found.with_engine:
        engine = "none"
    else:
        engine = version or ("starting" if found.state == "running" else "-")
    return NodeStatus(
        node.name, node.role, node.address, node.port, node.user, node.sudo, found.state, engine
    )


def _outcome(job: Future[bool]) -> NodeOutcome:
    try:
        return NodeOutcome("done", ("start",)) if job.result() else NodeOutcome("nothing")
    except (EvcError, OSError) as error:
        return NodeOutcome("failed", reason=lab_containers.explain(error))


def _changed(outcomes: Mapping[str, NodeOutcome]) -> list[str]:
    """The names of the nodes that changed; raises EvcError naming those that failed."""
    failed = [f"{name}: {one.reason}" for name, one in outcomes.items() if not one.well]
    if failed:
        error = EvcError("\n".join(sorted(failed)), "`evc lab up` again, or `evc lab down` first")
        error.code = Outcome(dict(outcomes)).exit
        raise error
    return sorted(name for name, one in outcomes.items() if one.actions)


def _note(fleet: Fleet, database: Store, command: str, outcomes: Mapping[str, NodeOutcome]) -> None:
    """What changed goes into the audit and into `hosts.ini`."""
    word = Outcome(dict(outcomes)).word
    if word != "nothing":
        audit.record(database, command, outcomes, word)
    known_nodes.render_inventory(fleet, database)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what the engine refuses into an EvcError."""
    try:
        yield
    except OSError as error:
        raise EvcError(f"lab: {lab_containers.explain(error)}", "evc lab status") from None


@contextlib.contextmanager
def _database(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        yield opened
