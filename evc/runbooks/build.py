"""Build a project: one image per platform, on a native builder, tested, pushed and recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from evc.doors import docker as engine
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import builders, layout, platforms
from evc.pure.builders import Round
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput, EvcError
from evc.pure.images import Content
from evc.pure.inventory import Node
from evc.pure.network import Settings
from evc.pure.observations import Readiness
from evc.runbooks import build_orders, lending, plays, projects, registry, releases, repair
from evc.runbooks import nodes as inventory
from evc.runbooks.build_ends import OtherDigest, failure, take
from evc.runbooks.build_orders import Job, Packed
from evc.runbooks.follow import Entry, follow
from evc.runbooks.progress import Progress
from evc.runbooks.projects import Project
from evc.runbooks.registry import Registry
from evc.runbooks.registry import check as registry_check
from evc.runbooks.releases import Built

TAIL_LINES = 40
LISTED = 20

Problems = dict[str, EvcError]


@dataclass(frozen=True)
class Made:
    """A release, the platforms built for it just now, and what went wrong with others."""

    built: Built
    fresh: tuple[str, ...] = ()
    problems: Mapping[str, EvcError] = field(default_factory=dict)


def build(
    fleet: Fleet, store: Store, project: Project, progress: Progress, emulate: bool = False
) -> Made:
    """The release of `project` with an image for each of its recipes that can be built.

    Raises EvcError when none can. A lost image that cannot be made as it was is a release anew:
    a digest is never replaced.
    """
    found = releases.find(store, project.content)
    if found and found.project != project.config:
        releases.keep_config(store, found.id, project.config)
    reg = registry.load(fleet)
    missing = [one for one in sorted(project.recipes) if not _is_there(reg, found, one)]
    problems = _make(fleet, store, project, missing, progress, emulate) if missing else {}
    if any(isinstance(one, OtherDigest) for one in problems.values()):
        progress.say("the registry lost an image that comes out otherwise now: a release anew")
        releases.anew(store, *_said_of(project))
        return build(fleet, store, project, progress, emulate)
    if problems and set(problems) == set(project.recipes):
        raise next(iter(problems.values()))
    made = releases.find(store, project.content)
    if made is None:
        raise BadInput(f"{project.config.model_name} as it is was never built", "evc model build")
    return Made(made, tuple(one for one in missing if one not in problems), problems)


def _make(
    fleet: Fleet,
    store: Store,
    project: Project,
    missing: Sequence[str],
    progress: Progress,
    emulate: bool,
) -> Problems:
    """Build for the `missing` platforms, by whichever builders can be used."""
    known = [node for node in inventory.everyone(store) if node.builder and node.registered]
    out = repair.mend(fleet, known, progress)
    for name, problem in out.items():
        progress.say(f"the builder {name} is left out: {problem}")
    ready = [node for node in known if node.name not in out]
    rounds, problems = builders.rounds(missing, project.config.platforms, ready, emulate)
    if out:
        why = f"left out: {', '.join(out)}"
        problems = {
            name: EvcError(f"{one.message} ({why})", one.remedy) for name, one in problems.items()
        }
    if rounds:
        built = releases.record(store, *_said_of(project))
        problems |= _build_on(Job(fleet, store, project, built), rounds, progress)
    return problems


def _said_of(project: Project) -> tuple[Content, ProjectConfig, str, str]:
    return project.content, project.config, project.place.source, project.place.commit


def platforms_for(
    config: ProjectConfig, nodes: Sequence[Node], named: Collection[str] = ()
) -> set[str]:
    """The platforms that `nodes` need, and those named; raises BadInput for an unknown name."""
    for name in named:
        if name not in config.platforms and name not in platforms.MACHINES:
            known = ", ".join([*platforms.MACHINES, *config.platforms])
            raise BadInput(f"{name[:80]!r} is no platform of the project", f"there are: {known}")
    needed = {platforms.of_node(config.platforms, node.selectable) for node in nodes if node.edge}
    return {*named, *needed} - {""}


def add(
    fleet: Fleet,
    store: Store,
    built: Built,
    wanted: Collection[str],
    progress: Progress,
    emulate: bool = False,
) -> Made:
    """A release with images for the platforms it lacks, from the source it was built of.

    Raises BadInput where that is not any more what it was: a digest is never replaced.
    """
    name, at = f"{built.release.model}:{built.release.label}", built.source
    if "#" in at or "://" in at:  # a git URL, and the commit rather than what its ref is by now
        at = f"{at.partition('#')[0]}#{built.commit}"
    with projects.found(at, progress) as place:
        project = projects.planned(fleet, projects.read(fleet, place), wanted)
        again = "evc run, or evc model build with the folder: a release of its own"
        if project.content.hash != built.content:
            raise BadInput(f"{at} is not what {name} was built from any more", again)
        if other := releases.changed(built, project.content):
            why = f"{name} has an image for {other[0]}, with another base or other arguments"
            raise BadInput(f"{why}; a digest is never replaced", again)
        return build(fleet, store, project, progress, emulate)


def _is_there(reg: Registry, found: Built | None, platform: str) -> bool:
    """Whether the database and the registry both have the image."""
    image = found.images.get(platform) if found else None
    if image is None:
        return False
    with registry_check.client(reg, "reader") as client:
        return client.head(image.repository, image.digest) is not None


def _build_on(job: Job, rounds: Sequence[Round], progress: Progress) -> Problems:
    settings = build_orders.settings_of(job.fleet, job.project)
    _say_what_is_odd(job.project, progress)
    problems: Problems = {}
    with tempfile.TemporaryDirectory(prefix="evc-context-") as folder:
        parts = layout.parts(job.project.config, job.project.files)
        context = [build_orders.packed(job.project, part, Path(folder)) for part in parts]
        for work in rounds:
            problems |= _round(job, work, settings, context, progress)
    return problems


def _say_what_is_odd(project: Project, progress: Progress) -> None:
    left_out = engine.left_out(project.place.folder, layout.EXCLUDED[:-1])
    if left_out:
        more = f" and {len(left_out) - LISTED} more" if len(left_out) > LISTED else ""
        progress.say(f"not in the image: {', '.join(left_out[:LISTED])}{more}")
    for warning in project.warnings:
        progress.say(f"warning: {warning}")


def _round(
    job: Job, work: Round, settings: Settings, context: Sequence[Packed], progress: Progress
) -> Problems:
    """One build on each builder, at once; what is built is kept though another fails."""
    nodes = {node.name: node for node in work.values()}
    ready, silent = build_orders.readiness(job, nodes, context, settings)
    problems: Problems = {
        platform: EvcError(f"{node.name}: {silent[node.name].message}")
        for platform, node in work.items()
        if node.name in silent
    }
    work = {platform: node for platform, node in work.items() if node.name in ready}
    return problems | (_carry_out(job, work, settings, context, ready, progress) if work else {})


def _carry_out(
    job: Job,
    work: Round,
    settings: Settings,
    context: Sequence[Packed],
    ready: Mapping[str, Readiness],
    progress: Progress,
) -> Problems:
    nodes = {node.name: node for node in work.values()}
    tails: dict[str, list[str]] = {name: [] for name in nodes}
    reaches = {name: ready[name].reaches for name in nodes}
    with lending.to_builders(job.fleet, nodes, reaches, progress) as lent:
        orders = {
            node.name: build_orders.order(job, platform, node, settings, context, lent[node.name])
            for platform, node in work.items()
        }
        each = {
            name: {"evc_context": [one for one in context if one["name"] in ready[name].missing]}
            for name in nodes
        }
        for name, one in each.items():
            progress.node(name, "receiving the build context" if one["evc_context"] else "starting")
        started = plays.play(job.fleet, "autorun", list(nodes.values()), each=each, orders=orders)
        ends = follow(job.fleet, nodes, started, partial(_show, progress, tails))
    problems: Problems = {}
    for platform, node in work.items():
        end = ends[node.name]
        try:
            if end["step"] != "done":
                raise failure(job, platform, node, end, tails[node.name], orders[node.name])
            take(job, platform, node, end)
        except EvcError as error:
            problems[platform] = error
    return problems


# Step reached → what comes next.
_DOING = {
    "begin": "unpacking the context",
    "unpack": "fetching the base image",
    "base": "building",
    "build": "testing the image",
    "test": "pushing",
    "push": "pulling it back to verify",
    "done": "built",
}


def _show(progress: Progress, tails: dict[str, list[str]], name: str, entry: Entry) -> None:
    line = entry.get("line")
    if isinstance(line, str):
        tails[name] = [*tails[name][-TAIL_LINES + 1 :], line]
        progress.output(name, line)
    elif not entry.get("progress"):
        progress.node(name, _DOING.get(entry["step"]) or str(entry["step"]))
