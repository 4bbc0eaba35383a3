"""Look over the controller and the nodes; each finding has its remedy, `fix` does what it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evc.doors import docker as engine
from evc.doors import system
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import config, plan
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, base_images, findings, register, registry, repair, trust
from evc.runbooks import nodes as inventory
from evc.runbooks.findings import Finding, Level
from evc.runbooks.grafana import native as grafana
from evc.runbooks.probe import Answer, probe
from evc.runbooks.progress import Progress

MIN_FREE_BYTES = 5 * 1024**3
# Program → the Debian package that brings it.
PROGRAMS = {"ssh": "openssh-client", "git": "git", "docker": "docker.io"}


def fix_controller(progress: Progress) -> None:
    """Install what this machine misses and start an engine where none answers."""
    missing = [package for program, package in PROGRAMS.items() if not system.has(program)]
    if not system.has("dockerd") and not _engine_answers():
        missing.append("docker.io")
    if missing:
        progress.say(f"installing {' '.join(sorted(set(missing)))}")
        system.install(sorted(set(missing)))
    if not _engine_answers():
        progress.say("starting Docker's engine")
        system.start_engine()
    if base_images.needs_debootstrap() and not system.has("debootstrap"):
        progress.say("installing debootstrap: no hub answers")
        system.install(["debootstrap"])


def emulate(progress: Progress) -> None:
    """Let this machine, and a lab's nodes on it, run programs of other platforms."""
    if not system.emulated():
        progress.say("installing qemu: images of other platforms can be built here, slowly")
        system.emulate()


def controller() -> list[Finding]:
    """This machine: programs and the engine."""
    found = [
        Finding("controller", f"{program} is there")
        if system.has(program)
        else Finding("controller", f"{program} is missing", "problem", _install(package))
        for program, package in PROGRAMS.items()
    ]
    if not _engine_answers():
        remedy = "evc doctor --fix, or start Docker"
        return [*found, Finding("controller", "no Docker engine answers", "problem", remedy)]
    found.append(Finding("controller", "a Docker engine answers"))
    if base_images.needs_debootstrap() and not system.has("debootstrap"):
        what = "no hub answers, and debootstrap is missing"
        found.append(Finding("controller", what, "problem", _install("debootstrap")))
    return found


def fleet_folder(fleet: Fleet, store: Store, fix: bool, progress: Progress) -> list[Finding]:
    """The fleet folder: config, inventory, database, room, registry, a Grafana that reads it."""
    checks: list[tuple[str, Callable[[], object]]] = [
        ("ServerConfig.yaml is right", fleet.config),
        ("hosts.ini is as EVC wrote it", lambda: inventory.render_inventory(fleet, store)),
        ("the registry answers", lambda: _registry(fleet, progress)),
    ]
    found = [findings.tried(what, check) for what, check in checks]
    if found[0].level == "ok":
        found += _unneeded(fleet) + findings.network_files(fleet)
    found += findings.secret_files(fleet, fix)
    free = system.free_bytes(fleet.root)
    if free < MIN_FREE_BYTES:
        what, remedy = f"only {free / 1e9:.1f} GB free", "make room: images and records need it"
        found.append(Finding("fleet", what, "warning", remedy))
    return found + _grafana(fleet, fix, progress)


def _grafana(fleet: Fleet, fix: bool, progress: Progress) -> list[Finding]:
    """Whether a Grafana that systemd runs here can read the database; `fix` lets it."""
    there = grafana.in_the_way(fleet)
    what = "Grafana on this machine cannot read the database"
    if there and fix:
        progress.say("letting Grafana at the database, and starting it again")
        try:
            grafana.let_it(fleet)
        except EvcError as error:
            return [Finding("fleet", f"{what}: {error.message}", "warning", error.remedy)]
        there = grafana.in_the_way(fleet)
    if there is None:
        return []
    if not there:
        return [Finding("fleet", "Grafana can read the database")]
    what = f"{what} as it should: {'; '.join(there)}"
    return [Finding("fleet", what, "warning", "; ".join(dict.fromkeys(there.values())))]


def _unneeded(fleet: Fleet) -> list[Finding]:
    """The keys that only the original needed, in one finding."""
    keys = config.unneeded(fleet.config())
    what = f"ServerConfig.yaml: EVC needs no more: {', '.join(keys)}"
    return [Finding("fleet", what, "warning", "they may go; they do no harm")] if keys else []


def nodes(
    fleet: Fleet, store: Store, chosen: Sequence[Node], fix: bool, progress: Progress
) -> list[Finding]:
    """Each node, asked in one play; `fix` brings back what EVC itself put there."""
    registered = [node for node in chosen if node.registered]
    if fix and registered:
        _fix_nodes(fleet, store, registered, progress)
    answers = probe(fleet, registered)
    inventory.refresh(store, answers)
    places = findings.tunnels(fleet, registered)
    found = [*places.values(), *findings.login_files(chosen)]
    for node in chosen:
        if node.name in answers:
            found += _node(fleet, node, answers[node.name], places.get(node.tunnel))
        else:
            remedy = "" if node.revoked else "evc node add, evc run"
            found.append(Finding(node.name, node.unusable, "warning", remedy))
    names = {name for name, one in answers.items() if isinstance(one, Observation)}
    now = [node for node in inventory.everyone(store) if node.name in names]
    return found + findings.wished(fleet, store, now)


def _fix_nodes(fleet: Fleet, store: Store, registered: Sequence[Node], progress: Progress) -> None:
    problems = repair.mend(fleet, registered, progress)
    for name, problem in problems.items():
        progress.say(f"{name}: {problem}")
    outcomes = {node.name: _fixed(problems.get(node.name, "")) for node in registered}
    audit.record(store, "doctor --fix", outcomes, Outcome(outcomes).word if outcomes else "done")


def _fixed(problem: str) -> NodeOutcome:
    return NodeOutcome("failed" if problem else "done", reason=problem)


def _node(fleet: Fleet, node: Node, answer: Answer, place: Finding | None) -> list[Finding]:
    if not isinstance(answer, Observation):
        if not answer.reachable:
            return [findings.unreached(node, answer.reason, place)]
        return [Finding(node.name, answer.reason, "problem", f"evc node add {node.name}")]
    planned = plan.plan(answer, trust.expected(fleet, node), [])
    repairs = [
        Finding(node.name, action.reason, "problem", "evc doctor --fix")
        for action in planned.actions
    ]
    warnings = [Finding(node.name, *_split(text)) for text in register.findings(answer)]
    if not answer.watching:
        what = "the watcher that finishes interrupted swaps does not run"
        warnings.append(Finding(node.name, what, "warning", "start cron or systemd there"))
    if planned.blocked:
        what, _, remedy = planned.blocked.partition(": ")
        adopt = f"evc node add {node.name} --adopt takes it over"
        repairs.append(Finding(node.name, what, "problem", remedy or adopt))
    return repairs + warnings or [Finding(node.name, "well")]


def _split(text: str) -> tuple[str, Level, str]:
    what, _, remedy = text.partition(": ")
    return what, "warning", remedy


def _registry(fleet: Fleet, progress: Progress) -> None:
    """A registry that was set up is brought up where it is down, and its certificate renewed."""
    registry.load(fleet)
    registry.ensure(fleet, progress.say)


def _install(package: str) -> str:
    return f"evc doctor --fix, or apt-get install {package}"


def _engine_answers() -> bool:
    try:
        engine.connect().close()
    except EvcError:
        return False
    return True
