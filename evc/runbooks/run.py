"""The main job: register what is new, build what changed, bring the nodes to it."""

from __future__ import annotations

from collections.abc import Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.config import ProjectConfig, Step, unneeded
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.machines import Machine
from evc.pure.outcomes import NodeOutcome, Outcome, merged
from evc.runbooks import assignments, audit, projects, register, registry, releases, rollout
from evc.runbooks import build as builds
from evc.runbooks import nodes as inventory
from evc.runbooks.build import Made
from evc.runbooks.probe import Silent
from evc.runbooks.progress import Progress
from evc.runbooks.projects import Place, Project
from evc.runbooks.releases import Built
from evc.runbooks.rollout import Planned
from evc.runbooks.survey import Answers, survey

Outcomes = dict[str, NodeOutcome]
STEPS_TODAY: tuple[Step, ...] = ("register", "build", "download", "run")


def run(
    fleet: Fleet,
    store: Store,
    place: Place,
    selector: str | None,
    progress: Progress,
    emulate: bool = False,
) -> Outcome:
    """The `autorun` steps of `ServerConfig.yaml` for the project at `place`.

    With `emulate` a builder of another architecture will do where there is none of the right one.
    Raises BadInput before anything is contacted; a dead node is an outcome, not an error.
    """
    project = projects.read(fleet, place)
    config = project.config
    steps = {step.activation for step in fleet.config().autorun}
    known = _known_steps(steps, progress)
    _say_what_is_unneeded(fleet, config, progress)
    wanted = selector if selector is not None else _groups(config)
    inventory.refuse_edited(fleet)
    model = config.model_name
    with fleet.lock(f"deploy-{model}"), audit.failures(store, f"run {model}"):
        if "register" in known:
            _add_machines(fleet, store, config)
        inventory.selected(store, wanted)  # nothing is contacted for a selector of nobody
        registry.ensure(fleet, progress.say)
        outcomes: list[Outcomes] = []
        if "register" in known:
            nodes = [*inventory.selected(store, wanted), *_builders(store)]
            outcomes.append(_register(fleet, store, nodes, progress))
        nodes, answers = survey(fleet, store, model, _edges(store, wanted), progress)
        made = _built(fleet, store, project, nodes, known, emulate, progress)
        if made is None:
            outcomes.append(_untold(nodes, answers))
        elif known & {"download", "run"}:
            outcomes.append(_roll_out(fleet, store, made, wanted, nodes, answers, progress))
        outcome = _outcome(outcomes, made)
        _record(fleet, store, config, outcome)
    return outcome


def deploy(fleet: Fleet, store: Store, built: Built, selector: str, progress: Progress) -> Outcome:
    """Bring the selected nodes to a release that is built already.

    Those that it has no image for are refused, and what they should run stays what it was.
    """
    nodes = _edges(store, selector)
    inventory.refuse_edited(fleet)
    model = built.release.model
    with fleet.lock(f"deploy-{model}"), audit.failures(store, f"run {model}"):
        registry.ensure(fleet, progress.say)
        nodes, answers = survey(fleet, store, model, nodes, progress)
        if able := [one for one in nodes if one.unusable or built.platform(one) in built.images]:
            assignments.wish(store, built, selector, able)
        outcomes = rollout.converge(fleet, store, built, nodes, progress, answers)
        outcome = Outcome(outcomes, built.release.label)
        _record(fleet, store, built.project, outcome)
    return outcome


def planned(fleet: Fleet, store: Store, built: Built, selector: str, progress: Progress) -> Planned:
    """What `deploy` would do on the selected nodes; they are asked, and nothing is changed."""
    nodes = _edges(store, selector)
    return rollout.prepare(fleet, store, built, nodes, progress)


def unchanged(fleet: Fleet, store: Store, place: Place, selector: str | None) -> str:
    """The release's label if the project is what was last rolled out on `selector`, else ''."""
    project = projects.read(fleet, place)
    wanted = selector if selector is not None else _groups(project.config)
    try:
        nodes = _edges(store, wanted)
    except BadInput:
        return ""  # its machines are not in the inventory yet
    project = projects.planned(fleet, project, builds.platforms_for(project.config, nodes))
    built = releases.find(store, project.content)
    return built.release.label if built and assignments.stands(store, built, wanted) else ""


def _known_steps(steps: set[Step], progress: Progress) -> set[Step]:
    for step in sorted(steps - set(STEPS_TODAY)):
        progress.say(f"the step {step!r} is not done by `evc run`; it is left out")
    return steps & set(STEPS_TODAY)


def _say_what_is_unneeded(fleet: Fleet, config: ProjectConfig, progress: Progress) -> None:
    """One warning for all keys of both files that only the original needed."""
    found = [f"{key} (ServerConfig.yaml)" for key in unneeded(fleet.config())]
    found += [f"{key} (myEVCconfig.yaml)" for key in unneeded(config)]
    if found:
        progress.say(f"warning: EVC needs no more: {', '.join(found)}; nodes and the database tell")


def _groups(config: ProjectConfig) -> str:
    """The selector that a project's own `group:` means; raises BadInput when it names none."""
    if not config.groups:
        raise BadInput(
            "nobody said on which nodes", "--on SELECTOR, or `group:` in the project's config"
        )
    return ",".join(config.groups)


def _add_machines(fleet: Fleet, store: Store, config: ProjectConfig) -> None:
    """Machines that the two files name and the inventory does not know."""
    known = {node.name for node in inventory.everyone(store)}
    for machine in fleet.config().builder:
        if machine.name not in known:
            inventory.insert(store, _node(machine, builder=True, groups=()))
    for group, machines in config.target.items():
        for machine in machines:
            if machine.name not in known:
                inventory.insert(store, _node(machine, builder=False, groups=(group,)))
                known.add(machine.name)


def _node(machine: Machine, builder: bool, groups: tuple[str, ...]) -> Node:
    return Node(
        id=0,
        name=machine.name,
        address=machine.ip,
        port=machine.port,
        login_user=machine.user,
        builder=builder,
        edge=not builder,
        groups=groups,
    )


def _edges(store: Store, selector: str) -> list[Node]:
    return [node for node in inventory.selected(store, selector) if node.edge]


def _builders(store: Store) -> list[Node]:
    return [node for node in inventory.everyone(store) if node.builder]


def _register(
    fleet: Fleet, store: Store, nodes: Sequence[Node], progress: Progress
) -> dict[str, NodeOutcome]:
    new = {node.name: node for node in nodes if not node.registered and not node.revoked}
    if not new:
        return {}
    progress.say(f"registering {', '.join(sorted(new))}")
    with fleet.lock("nodes"):
        done = register.register(fleet, store, list(new.values()), progress)
    for name, one in done.items():
        if not one.well:  # said now: without its builder the command ends before it shows outcomes
            progress.say(f"{name} is not registered: {one.reason}")
    return done


def _built(
    fleet: Fleet,
    store: Store,
    project: Project,
    nodes: Sequence[Node],
    steps: set[Step],
    emulate: bool,
    progress: Progress,
) -> Made | None:
    """The project's release for what its nodes are, or None when none of them ever told."""
    wanted = builds.platforms_for(project.config, nodes)
    if not wanted:
        return None
    project = projects.planned(fleet, project, wanted if "build" in steps else set())
    made = builds.build(fleet, store, project, progress, emulate)
    for problem in made.problems.values():  # the nodes that it concerns fail, and no others
        progress.say(str(problem))
    return made


def _untold(nodes: Sequence[Node], answers: Answers) -> Outcomes:
    """Nodes of which nothing is known: why, for each."""
    reasons = {node.name: node.unusable for node in nodes}
    reasons |= {name: one.reason for name, one in answers.items() if isinstance(one, Silent)}
    return {
        name: NodeOutcome("pending", reason=reason or "it does not tell its architecture")
        for name, reason in reasons.items()
    }


def _roll_out(
    fleet: Fleet,
    store: Store,
    made: Made,
    selector: str,
    nodes: list[Node],
    answers: Answers,
    progress: Progress,
) -> Outcomes:
    """Bring `nodes` to the release; what they said before a build of minutes is asked again."""
    assignments.wish(store, made.built, selector, nodes)
    said = None if made.fresh else answers
    return rollout.converge(fleet, store, made.built, nodes, progress, said)


def _outcome(outcomes: Sequence[Outcomes], made: Made | None) -> Outcome:
    if made is None:
        return Outcome(merged(outcomes))
    return Outcome(merged(outcomes), made.built.release.label, bool(made.fresh))


def _record(fleet: Fleet, store: Store, config: ProjectConfig, outcome: Outcome) -> None:
    command = f"run {config.model_name} {outcome.release}".strip()
    if outcome.word != "nothing":
        audit.record(store, command, outcome.nodes, outcome.word)
    inventory.render_inventory(fleet, store)
