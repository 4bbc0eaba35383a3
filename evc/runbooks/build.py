"""Build a project: one image per platform, on a native builder, tested, pushed and recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evc.doors import docker as engine
from evc.doors import fleet as fleets
from evc.doors import project as projects
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import containers, images, layout, schema
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadInput, EvcError
from evc.pure.images import File, Release
from evc.pure.inventory import Node
from evc.pure.layout import Part
from evc.runbooks import nodes as inventory
from evc.runbooks import plays, registry, releases, repair
from evc.runbooks.follow import Entry, follow
from evc.runbooks.progress import Progress
from evc.runbooks.registry import Registry
from evc.runbooks.registry import check as registry_check
from evc.runbooks.releases import Built, Image

TAIL_LINES = 40
FETCH_WEIGHTS = "fetch_weights.py"


@dataclass(frozen=True)
class Project:
    """A project as read: config, files, Dockerfile, and the release they make."""

    folder: Path
    source: str
    commit: str
    config: ProjectConfig
    files: tuple[File, ...]
    own_dockerfile: bool
    dockerfile: str
    bases: Mapping[str, str]

    @property
    def release(self) -> Release:
        text, config = self.dockerfile, self.config
        content = images.content_hash(self.files, text, self.bases, config.settings)
        return Release(config.model_name, config.version, content)


def read_config(folder: Path) -> ProjectConfig:
    """A project's config; raises BadFile with all its problems."""
    name = str(folder / layout.CONFIG)
    return schema.read(projects.config_text(folder), name, ProjectConfig)


def read(fleet: Fleet, folder: Path, source: str, commit: str) -> Project:
    """A project folder as a value; raises BadInput."""
    config = read_config(folder)
    excluded = [*layout.EXCLUDED, *projects.ignored(folder)]
    files = projects.files(folder, engine.context_files(folder, excluded))
    own = projects.dockerfile(folder)
    if not own and not config.serve.command:
        raise BadInput(f"{folder}: no Dockerfile and no serve.command", "say how it starts")
    paths = {file.path for file in files}
    if config.requirements and config.requirements not in paths:
        raise BadInput(f"{folder}: {config.requirements} (requirements) is not there")
    text = own or images.dockerfile(config)
    bases = _base_digests(registry.load(fleet), images.bases(text))
    return Project(folder, source, commit, config, tuple(files), bool(own), text, bases)


def _base_digests(reg: Registry, names: Collection[str]) -> dict[str, str]:
    """Base image → its digest in the fleet's registry, for those that were brought in."""
    places = {name: images.library_name(name) for name in names}
    with registry_check.client(reg, "reader") as client:
        found = {name: client.head(*place) for name, place in places.items() if place[0]}
    return {name: digest for name, digest in found.items() if digest}


def build(
    fleet: Fleet, store: Store, project: Project, platforms: Collection[str], progress: Progress
) -> tuple[Built, list[str]]:
    """The release of `project` with an image for each of `platforms`, and those built just now."""
    reg, release = registry.load(fleet), project.release
    found = releases.find(store, release)
    missing = [one for one in sorted(platforms) if not _is_there(reg, found, one)]
    if missing:
        builders = {one: _builder(store, one) for one in missing}
        repair.mend(fleet, list(builders.values()), progress)
        release_id = releases.record(store, release, project.config, project.source, project.commit)
        _build_on(fleet, store, project, builders, release_id, progress)
        found = releases.find(store, release)
    assert found is not None
    return found, missing


def _is_there(reg: Registry, found: Built | None, platform: str) -> bool:
    """Whether the database and the registry both have the image."""
    image = found.images.get(platform) if found else None
    if image is None:
        return False
    with registry_check.client(reg, "reader") as client:
        return client.head(image.repository, image.digest) is not None


def _builder(store: Store, platform: str) -> Node:
    """A registered builder of the platform's architecture; raises EvcError without one."""
    for node in inventory.everyone(store):
        if node.builder and node.registered and images.platform(node.architecture) == platform:
            return node
    raise EvcError(
        f"no builder for {platform}",
        "evc node add NAME ADDRESS --role builder (a machine of that architecture)",
    )


def _build_on(
    fleet: Fleet,
    store: Store,
    project: Project,
    builders: Mapping[str, Node],
    release_id: int,
    progress: Progress,
) -> None:
    nodes = {node.name: node for node in builders.values()}
    parts = layout.parts(project.config, project.files)
    with tempfile.TemporaryDirectory(prefix="evc-context-") as folder:
        context = [_packed(fleet, project, part, Path(folder)) for part in parts]
        for name in nodes:
            progress.node(name, "receiving the build context")
        sent = plays.play(fleet, "copy_model", list(nodes.values()), {"evc_context": context})
    _require(sent)
    orders = {
        node.name: _order(fleet, project, platform, [one["name"] for one in context])
        for platform, node in builders.items()
    }
    started = plays.play(fleet, "autorun", list(nodes.values()), orders=orders)
    tails: dict[str, list[str]] = {name: [] for name in nodes}
    ends = follow(fleet, nodes, started, lambda name, one: _show(progress, tails, name, one))
    for platform, node in builders.items():
        _take(store, project, release_id, platform, node, ends[node.name], tails[node.name])


def _require(results: Mapping[str, Any]) -> None:
    for name, result in results.items():
        if not result.ok:
            raise EvcError(f"{name}: {result.message}")


def _packed(fleet: Fleet, project: Project, part: Part, folder: Path) -> dict[str, str]:
    """A part as a tar: its name and path. EVC's own files travel with the code."""
    extra = {}
    if part.kind == "code":
        extra["Dockerfile"] = images.with_bases(project.dockerfile, _pinned(fleet, project))
        script = fleets.share() / "playbooks" / "files" / FETCH_WEIGHTS
        extra[f"evc/{FETCH_WEIGHTS}"] = script.read_text(encoding="utf-8")
        part = Part("code", {path: one for path, one in part.files.items() if path not in extra})
    name = part.name if part.kind == "weights" else f"code-{project.release.hash[:20]}.tar"
    projects.pack(project.folder, part, extra, folder / name)
    return {"name": name, "path": str(folder / name)}


def _pinned(fleet: Fleet, project: Project) -> dict[str, str]:
    """Base image → where the fleet's registry has it, by digest."""
    reader = registry.load(fleet).reader
    return {
        name: f"{reader}/{images.library_name(name)[0]}@{digest}"
        for name, digest in project.bases.items()
    }


def _order(fleet: Fleet, project: Project, platform: str, parts: list[str]) -> dict[str, Any]:
    reg, release, config = registry.load(fleet), project.release, project.config
    repository = images.repository(platform)
    tag = f"{reg.writer}/{repository}:{release.tag}"
    return {
        "id": f"{release.tag}-{platform}",
        "parts": parts,
        "bases": sorted(_pinned(fleet, project).values()),
        "tag": tag,
        "pull_repository": f"{reg.reader}/{repository}",
        "labels": {
            "evc.image": release.model,
            "org.opencontainers.image.version": release.label,
            "org.opencontainers.image.revision": project.commit,
        },
        "test": {
            "command": config.tests.command,
            "config": containers.unpublished(containers.config(config, tag)),
            "health": containers.health(config.serve),
        },
    }


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


def _take(
    store: Store,
    project: Project,
    release_id: int,
    platform: str,
    node: Node,
    end: Entry,
    tail: list[str],
) -> None:
    if end["step"] != "done":
        last = "\n".join(f"  | {line}" for line in tail)
        step = end.get("at", end["step"])
        raise EvcError(
            f"building {project.release.label} for {platform} on {node.name} failed at"
            f" '{step}': {end.get('reason', '')}\n{last}"
        )
    repository = images.repository(platform)
    image = Image(platform, repository, project.release.tag, end["digest"], int(end["size"]))
    releases.record_image(store, release_id, image, node.name)
