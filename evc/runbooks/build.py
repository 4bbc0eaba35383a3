"""Build a project: one image per platform, on a native builder, tested, pushed and recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from evc.doors import fleet as fleets
from evc.doors import project as folders
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import builders, hardening, layout, platforms
from evc.pure.builders import Round
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.network import Settings
from evc.runbooks import build_orders, plays, projects, registry, releases, repair
from evc.runbooks import nodes as inventory
from evc.runbooks.build_orders import Job
from evc.runbooks.follow import Entry, follow
from evc.runbooks.progress import Progress
from evc.runbooks.projects import Project
from evc.runbooks.registry import Registry
from evc.runbooks.registry import check as registry_check
from evc.runbooks.releases import Built, Image

TAIL_LINES = 40


def build(
    fleet: Fleet, store: Store, project: Project, progress: Progress, emulate: bool = False
) -> tuple[Built, list[str]]:
    """The release of `project` with an image for each of its recipes; those built just now."""
    found = releases.find(store, project.content)
    if found and found.project != project.config:
        releases.keep_config(store, found.id, project.config)
    reg = registry.load(fleet)
    missing = [one for one in sorted(project.recipes) if not _is_there(reg, found, one)]
    if missing:
        ready = [node for node in inventory.everyone(store) if node.builder and node.registered]
        rounds = builders.rounds(missing, project.config.platforms, ready, emulate)
        used = {node.name: node for one in rounds for node in one.values()}
        repair.mend(fleet, list(used.values()), progress)
        source, commit = project.place.source, project.place.commit
        built = releases.record(store, project.content, project.config, source, commit)
        _build_on(Job(fleet, store, project, built), rounds, progress)
    made = releases.find(store, project.content)
    if made is None:
        raise BadInput(f"{project.config.model_name} as it is was never built", "evc model build")
    return made, missing


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
) -> tuple[Built, list[str]]:
    """A release with images for the platforms it lacks, from the source it was built of.

    Raises BadInput where that is not any more what it was: a digest is never replaced.
    """
    name, at = f"{built.release.model}:{built.release.label}", built.source
    if "#" in at or "://" in at:  # a git URL, and the commit rather than what its ref is by now
        at = f"{at.partition('#')[0]}#{built.commit}"
    with projects.found(at, progress) as place:
        project = projects.read(fleet, place, wanted)
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


def _build_on(job: Job, rounds: Sequence[Round], progress: Progress) -> None:
    project, found = job.project, build_orders.settings_of(job.fleet, job.project)
    left_out = folders.left_out(project.place.folder, layout.EXCLUDED[:-1])
    if left_out:
        progress.say(f"not in the image: {', '.join(left_out)}")
    for warning in project.warnings:
        progress.say(f"warning: {warning}")
    nodes = {node.name: node for one in rounds for node in one.values()}
    parts = _send(job, list(nodes.values()), found, progress)
    for one in rounds:
        _round(job, one, found, parts, progress)


def _send(job: Job, nodes: Sequence[Node], settings: Settings, progress: Progress) -> list[str]:
    """Bring the build context to the builders; the names of its parts."""
    parts = layout.parts(job.project.config, job.project.files)
    with tempfile.TemporaryDirectory(prefix="evc-context-") as folder:
        context = [build_orders.packed(job.project, part, Path(folder)) for part in parts]
        for node in nodes:
            progress.node(node.name, "receiving the build context")
        network_file = Path(folder) / "network.json"
        fleets.write_private(network_file, build_orders.network_text(settings))
        shared = {"evc_context": context, "evc_network": str(network_file)}
        _require(plays.play(job.fleet, "copy_model", nodes, shared))
    return [one["name"] for one in context]


def _round(job: Job, work: Round, settings: Settings, parts: list[str], progress: Progress) -> None:
    """One build on each builder, at once; what is built is kept though another fails."""
    nodes = {node.name: node for node in work.values()}
    orders = {
        node.name: build_orders.order(job, platform, node, settings, parts)
        for platform, node in work.items()
    }
    started = plays.play(job.fleet, "autorun", list(nodes.values()), orders=orders)
    tails: dict[str, list[str]] = {name: [] for name in nodes}
    ends = follow(job.fleet, nodes, started, lambda name, one: _show(progress, tails, name, one))
    failures = []
    for platform, node in work.items():
        end = ends[node.name]
        if end["step"] == "done":
            _take(job, platform, node, end)
        else:
            failures.append(_failure(job, platform, node, end, tails[node.name], orders[node.name]))
    if failures:
        raise failures[0]


def _require(results: Mapping[str, Any]) -> None:
    for name, result in results.items():
        if not result.ok:
            raise EvcError(f"{name}: {result.message}")


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


def _take(job: Job, platform: str, node: Node, end: Entry) -> None:
    repository, recipe = platforms.repository(platform), job.project.recipes[platform]
    tag, digest, size = job.built.release.tag, str(end["digest"]), int(end["size"])
    image = Image(platform, repository, tag, digest, size, recipe.hash)
    with registry_check.client(registry.load(job.fleet), "reader") as client:
        if client.head(repository, image.digest) is None:
            raise EvcError(f"{node.name} says it pushed {image.digest}; the registry has no such")
    releases.record_image(job.store, job.built.id, image, node.name)


def _failure(
    job: Job, platform: str, node: Node, end: Entry, tail: list[str], order: dict[str, Any]
) -> EvcError:
    """Where a build ended and its last lines; for a hardened default, the key that loosens it."""
    step, reason = str(end.get("at", end["step"])), str(end.get("reason", ""))
    where = f"building {job.built.release.label} for {platform} on {node.name}"
    last = "".join(f"\n  | {line}" for line in tail)
    said = "\n".join([*tail, reason])
    key = hardening.key(said, order["test"]["config"]) if step == "test" else ""
    remedy = f"`{key}` in myEVCconfig.yaml loosens this one default" if key else ""
    return EvcError(f"{where} failed at '{step}': {reason}{last}", remedy)
