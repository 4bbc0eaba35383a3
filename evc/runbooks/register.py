"""Register machines: pin the host key, install EVC's user, key and trust, gather facts.

Twice is the same as once. `remove` takes everything of ours off again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import complaints
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, host_keys, plays, registry, rendezvous, trust
from evc.runbooks import nodes as inventory
from evc.runbooks.host_keys import Registration
from evc.runbooks.probe import probe
from evc.runbooks.progress import Progress

MIN_DISK_BYTES = 2 * 1024**3
MAX_CLOCK_OFFSET_SECONDS = 30.0


@dataclass(frozen=True)
class Options:
    """What registering may do beyond the usual: take over another fleet's node, install Docker."""

    adopt: bool = False
    install_docker: bool = False


PLAIN = Options()


def register(
    fleet: Fleet,
    store: Store,
    nodes: Sequence[Node],
    progress: Progress,
    options: Options = PLAIN,
) -> dict[str, NodeOutcome]:
    """Register `nodes`, all at once; an outcome for each, none stops another."""
    if not nodes:
        return {}
    began = time.monotonic()
    ways = [Registration(node) for node in nodes]
    host_keys.pin(fleet, ways, progress)
    _install(fleet, [way for way in ways if not way.problem], options, progress)
    _look(fleet, store, [way for way in ways if not way.problem])
    inventory.render_inventory(fleet, store)
    seconds = time.monotonic() - began
    return {way.node.name: _outcome(way, seconds) for way in ways}


def add(
    fleet: Fleet,
    store: Store,
    node: Node,
    sudo: Mapping[str, Path],
    options: Options,
    progress: Progress,
) -> Outcome:
    """Take `node` into the inventory, unless it is there, and register it.

    `sudo` has private files with passwords for this time; `node.sudo_file` is one that is kept.
    """
    inventory.refuse_edited(fleet)
    with fleet.lock("nodes"):
        known = {one.name: one for one in inventory.everyone(store)}.get(node.name)
        if known is None:
            inventory.insert(store, node)
        elif node.address and (known.address, known.port) != (node.address, node.port):
            place = f"{known.address}:{known.port}"
            raise BadInput(
                f"{node.name} is {place} already",
                f"moved: `evc node set {node.name} --address …`; another machine: `evc node"
                f" replace {node.name} {node.address}`",
            )
        registry.ensure(fleet, progress.say)
        chosen = [one for one in inventory.everyone(store) if one.name == node.name]
        done = register(fleet, store, with_sudo(chosen, sudo), progress, options)
        outcome = Outcome(done)
        audit.record(store, f"node add {node.name}", done, outcome.word)
    return outcome


def with_sudo(nodes: Sequence[Node], sudo: Mapping[str, Path]) -> list[Node]:
    """The nodes with another file for the sudo password, where one is given."""
    return [
        replace(node, sudo_file=str(sudo[node.name])) if node.name in sudo else node
        for node in nodes
    ]


def remove(
    fleet: Fleet, store: Store, nodes: Sequence[Node], forget: bool
) -> dict[str, NodeOutcome]:
    """Take everything of EVC off `nodes` and them out of the inventory.

    `forget` only does the latter, for machines that are dead.
    """
    inventory.refuse_edited(fleet)
    outcomes = {}
    reached = {} if forget else _unregister(fleet, [node for node in nodes if node.registered])
    for node in nodes:
        problem = reached.get(node.name, "")
        if problem:
            reason = f"{problem}; --forget takes it out of the inventory all the same"
            outcomes[node.name] = NodeOutcome("failed", reason=reason)
        else:
            outcomes[node.name] = NodeOutcome(
                "done", ("remove",), warnings=_end_tunnel(fleet, node)
            )
    gone = [node for node in nodes if outcomes[node.name].well]
    inventory.forget(store, [node.name for node in gone])
    host_keys.unpin(fleet, gone)
    trust.end_logins(fleet, [node.name for node in gone])
    inventory.render_inventory(fleet, store)
    return outcomes


def _install(
    fleet: Fleet, ways: Sequence[Registration], options: Options, progress: Progress
) -> None:
    registry.load(fleet)
    public = ssh.ensure_key(fleet.ssh_key, f"evc-{fleet.id}", fleet.private_mode)
    shared = {
        **trust.variables(fleet),
        "evc_adopt": options.adopt,
        "evc_install_docker": options.install_docker,
    }
    for playbook, prepared in (("copy_cert", False), ("repair", True)):
        nodes = [way.node for way in ways if _is_prepared(way.node) is prepared]
        if not nodes:
            continue
        for node in nodes:
            if node.local:
                Path(plays.home(fleet, node)).mkdir(mode=0o700, parents=True, exist_ok=True)
        each = trust.each(fleet, nodes)
        orders = trust.orders(fleet, nodes, key="" if prepared else public)
        results = plays.play(
            fleet, playbook, nodes, shared, each, orders, not prepared, on_task=progress.node
        )
        for way in ways:
            if way.node.name in results:
                way.problem = complaints.explain(results[way.node.name].message)


def _is_prepared(node: Node) -> bool:
    """Whether there is no user to make and no sudo to ask for.

    On the controller itself; and an enrolled node's first-boot script did all that as root.
    """
    return node.local or bool(node.tunnel)


def _look(fleet: Fleet, store: Store, ways: Sequence[Registration]) -> None:
    """Probe what was registered: its facts, and what will be in the way later."""
    answers = probe(fleet, [way.node for way in ways])
    for way in ways:
        answer = answers[way.node.name]
        if isinstance(answer, Observation):
            facts = {**answer.known, "clock_offset": answer.clock_offset}
            inventory.remember(store, way.node.name, facts, registered=True)
            way.warnings += findings(answer)
        else:
            way.problem = answer.reason


def findings(seen: Observation) -> list[str]:
    """What will be in the way on a node, each with its remedy."""
    found = []
    if seen.engine is None:
        found.append(
            f"Docker does not answer ({seen.engine_problem}): install docker.io or Docker's own"
            " package there (`--install-docker` does it on Debian and its kin), then register again"
        )
    elif not seen.engine.memory_limit:
        found.append(
            "memory limits are not enforced: add `cgroup_enable=memory cgroup_memory=1` to the"
            " kernel's command line (/boot/firmware/cmdline.txt on a Pi) and reboot it"
        )
    if seen.engine and seen.facts.gpu and "nvidia" not in seen.engine.runtimes:
        found.append(
            f"Docker cannot give its GPU ({seen.facts.gpu}) to containers: install"
            " nvidia-container-toolkit there, then `nvidia-ctk runtime configure`"
        )
    if seen.facts.disk_free and seen.facts.disk_free < MIN_DISK_BYTES:
        found.append(
            f"only {seen.facts.disk_free / 1e9:.1f} GB free for images: make room, or move Docker"
            ' to a bigger disk (`"data-root"` in /etc/docker/daemon.json)'
        )
    if abs(seen.clock_offset) > MAX_CLOCK_OFFSET_SECONDS:
        found.append(
            f"its clock is {seen.clock_offset:+.0f} s off: set up NTP there (`timedatectl set-ntp"
            " true`, or `apt-get install systemd-timesyncd`)"
        )
    return found


def _outcome(way: Registration, seconds: float) -> NodeOutcome:
    if way.problem:
        return NodeOutcome("failed", ("register",), way.problem, seconds)
    return NodeOutcome("done", ("register",), "", seconds, warnings=tuple(way.warnings))


def _end_tunnel(fleet: Fleet, node: Node) -> tuple[str, ...]:
    """An enrolled node loses its key on the rendezvous; what a person has still to do."""
    if not node.tunnel:
        return ()
    left = (f"as root on {node.name}, `evc-leave` takes the rest off: EVC is not root there",)
    try:
        rendezvous.ask(fleet, node.tunnel, "close", name=node.name)
    except EvcError as error:
        return (*left, f"its key is still on {node.tunnel}: {error.message}")
    return left


def _unregister(fleet: Fleet, nodes: Sequence[Node]) -> dict[str, str]:
    """Node → what went wrong, '' when everything of ours is off it."""
    problems = {}
    for node in nodes:
        if node.local:
            shutil.rmtree(plays.home(fleet, node), ignore_errors=True)
            problems[node.name] = ""
    hosts = {host for node in nodes for host in trust.expected(fleet, node).certs}
    certs = [f"/etc/docker/certs.d/{host}" for host in sorted(hosts)]
    files = [
        *certs,
        "/etc/cron.d/evc-watch",
        "/etc/systemd/system/evc-watch.service",
        plays.HOME,
    ]
    enrolled = [node for node in nodes if node.tunnel]
    others = [node for node in nodes if not node.tunnel and not node.local]
    for playbook, which, gone in (("unregister", others, files), ("leave", enrolled, certs)):
        if which:
            own = playbook == "leave"
            results = plays.play(fleet, playbook, which, {"evc_files": gone}, as_login=not own)
            problems |= {name: result.message for name, result in results.items()}
    return problems
