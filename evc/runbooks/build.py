"""Build a project: one image per platform, on a native builder, tested, pushed and recorded."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from evc.doors import fleet as fleets
from evc.doors import project as projects
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import containers, hardening, images, layout
from evc.pure import network as networks
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.layout import Part
from evc.pure.network import Settings
from evc.runbooks import network, plays, registry, releases, repair
from evc.runbooks import nodes as inventory
from evc.runbooks.follow import Entry, follow
from evc.runbooks.progress import Progress
from evc.runbooks.projects import Project
from evc.runbooks.registry import Registry
from evc.runbooks.registry import check as registry_check
from evc.runbooks.releases import Built, Image

TAIL_LINES = 40
FETCH_WEIGHTS = "fetch_weights.py"


def build(
    fleet: Fleet, store: Store, project: Project, platforms: Collection[str], progress: Progress
) -> tuple[Built, list[str]]:
    """The release of `project` with an image for each of `platforms`, and those built just now."""
    reg, release = registry.load(fleet), project.release
    found = releases.find(store, release)
    if found and found.project != project.config:
        releases.keep_config(store, found.id, project.config)
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
    left_out = projects.left_out(project.folder, layout.EXCLUDED[:-1])
    if left_out:
        progress.say(f"not in the image: {', '.join(left_out)}")
    parts = layout.parts(project.config, project.files)
    found = _settings(fleet, project)
    with tempfile.TemporaryDirectory(prefix="evc-context-") as folder:
        context = [_packed(fleet, project, part, found, Path(folder)) for part in parts]
        for name in nodes:
            progress.node(name, "receiving the build context")
        network_file = Path(folder) / "network.json"
        fleets.write_private(network_file, _network(found))
        shared = {"evc_context": context, "evc_network": str(network_file)}
        sent = plays.play(fleet, "copy_model", list(nodes.values()), shared)
    _require(sent)
    orders = {
        node.name: _order(fleet, project, platform, [one["name"] for one in context])
        for platform, node in builders.items()
    }
    started = plays.play(fleet, "autorun", list(nodes.values()), orders=orders)
    tails: dict[str, list[str]] = {name: [] for name in nodes}
    ends = follow(fleet, nodes, started, lambda name, one: _show(progress, tails, name, one))
    for platform, node in builders.items():
        end, tail = ends[node.name], tails[node.name]
        if end["step"] != "done":
            raise _failure(project, platform, node, end, tail, orders[node.name])
        _take(fleet, store, project, release_id, platform, node, end)


def _require(results: Mapping[str, Any]) -> None:
    for name, result in results.items():
        if not result.ok:
            raise EvcError(f"{name}: {result.message}")


def _settings(fleet: Fleet, project: Project) -> Settings:
    """How the build reaches packages; raises BadInput where that would stay in the image."""
    found = network.settings(fleet)
    if found.environment and networks.keeps_proxy(project.dockerfile):
        raise BadInput(
            "the Dockerfile declares a proxy itself, which would keep its address in the image",
            "take its ARG and ENV lines of proxies out: builds get `network:` without them",
        )
    return found


def _network(settings: Settings) -> str:
    """What the builder reads beside its order, which is logged where this is not."""
    return json.dumps({"environment": settings.environment, "secrets": settings.secrets})


def _packed(
    fleet: Fleet, project: Project, part: Part, settings: Settings, folder: Path
) -> dict[str, str]:
    """A part as a tar: its name and path. EVC's own files travel with the code."""
    extra = {}
    if part.kind == "code":
        text = networks.dockerfile(project.dockerfile, settings)
        extra["Dockerfile"] = images.with_bases(text, _pinned(fleet, project))
        script = fleets.share() / "playbooks" / "files" / FETCH_WEIGHTS
        extra[f"evc/{FETCH_WEIGHTS}"] = script.read_text(encoding="utf-8")
        part = Part("code", {path: one for path, one in part.files.items() if path not in extra})
    name = part.name if part.kind == "weights" else f"code-{project.release.hash[:20]}.tar"
    projects.pack(project.folder, part, extra, folder / name)
    return {"name": name, "path": str(folder / name)}


def _pinned(fleet: Fleet, project: Project) -> dict[str, str]:
    """Base image → where the fleet's registry has it, by digest."""
    reg = registry.load(fleet)
    return {
        name: f"{reg.reader}/{reg.repository(images.library_name(name)[0])}@{digest}"
        for name, digest in project.bases.items()
    }


def _order(fleet: Fleet, project: Project, platform: str, parts: list[str]) -> dict[str, Any]:
    reg, release, config = registry.load(fleet), project.release, project.config
    repository = reg.repository(images.repository(platform))
    tag = f"{reg.writer}/{repository}:{release.tag}"
    serve = config.serve.model_copy(update={"publish": None})
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
            "config": containers.unpublished(containers.config(config)),
            "health": containers.health(serve, frames=False),
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
    fleet: Fleet,
    store: Store,
    project: Project,
    release_id: int,
    platform: str,
    node: Node,
    end: Entry,
) -> None:
    repository = images.repository(platform)
    image = Image(platform, repository, project.release.tag, str(end["digest"]), int(end["size"]))
    with registry_check.client(registry.load(fleet), "reader") as client:
        if client.head(repository, image.digest) is None:
            raise EvcError(f"{node.name} says it pushed {image.digest}; the registry has no such")
    releases.record_image(store, release_id, image, node.name)


def _failure(
    project: Project, platform: str, node: Node, end: Entry, tail: list[str], order: dict[str, Any]
) -> EvcError:
    """Where a build ended and its last lines; for a hardened default, the key that loosens it."""
    step, reason = str(end.get("at", end["step"])), str(end.get("reason", ""))
    where = f"building {project.release.label} for {platform} on {node.name}"
    last = "".join(f"\n  | {line}" for line in tail)
    said = "\n".join([*tail, reason])
    key = hardening.key(said, order["test"]["config"]) if step == "test" else ""
    remedy = f"`{key}` in myEVCconfig.yaml loosens this one default" if key else ""
    return EvcError(f"{where} failed at '{step}': {reason}{last}", remedy)
