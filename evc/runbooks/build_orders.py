"""What a builder is given for an image: the context in parts, and the order that says the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from evc.doors import ansible
from evc.doors import fleet as fleets
from evc.doors import project as projects
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import builders, containers, images, layout, observations, platforms
from evc.pure import network as networks
from evc.pure.config import ProjectConfig, Serve
from evc.pure.errors import BadInput, EvcError
from evc.pure.images import Recipe
from evc.pure.inventory import Node
from evc.pure.layout import Part
from evc.pure.network import Settings
from evc.pure.observations import Readiness
from evc.runbooks import ask, network, registry
from evc.runbooks.projects import Project
from evc.runbooks.registry import Registry
from evc.runbooks.releases import Built

FETCH_WEIGHTS = "fetch_weights.py"
EMULATION = 10  # times slower, at worst


class Packed(TypedDict):
    """A part of the context: its name, by its content, and the path and bytes of its tar."""

    name: str
    path: str
    size: int


@dataclass(frozen=True)
class Job:
    """A project that becomes images of a release."""

    fleet: Fleet
    store: Store
    project: Project
    built: Built


def settings_of(fleet: Fleet, project: Project) -> Settings:
    """How the build reaches packages; raises BadInput where that would stay in the image."""
    found = network.settings(fleet)
    if found.environment and any(
        networks.keeps_proxy(one.dockerfile) for one in project.recipes.values()
    ):
        raise BadInput(
            "the Dockerfile declares a proxy itself, which would keep its address in the image",
            "take its ARG and ENV lines of proxies out: builds get `network:` without them",
        )
    return found


def readiness(
    job: Job, nodes: Mapping[str, Node], context: Sequence[Packed], settings: Settings
) -> tuple[dict[str, Readiness], dict[str, EvcError]]:
    """What each builder lacks for the build, and why those did not tell that did not.

    They keep the settings from then on, which must not be in an order: its journal is sent.
    """
    question = {
        "parts": {part["name"]: part["size"] for part in context},
        "network": {"environment": settings.environment, "secrets": settings.secrets},
        "registries": [*registry.load(job.fleet).places.values()],
    }
    texts = dict.fromkeys(nodes, json.dumps(question))
    return ask.each(job.fleet, nodes, "context", texts, observations.readiness)


def packed(project: Project, part: Part, folder: Path) -> Packed:
    """A part as a tar. EVC's own files travel with the code."""
    extra = {}
    if part.kind == "code":
        script = fleets.share() / "playbooks" / "files" / FETCH_WEIGHTS
        extra[f"evc/{FETCH_WEIGHTS}"] = script.read_text(encoding="utf-8")
        own = {*extra, layout.DOCKERFILE}  # which differs by platform, and comes with the order
        part = Part("code", {path: one for path, one in part.files.items() if path not in own})
    path = folder / f"{part.kind}.tar"
    projects.pack(project.place.folder, part, extra, path)
    with path.open("rb") as tar:
        digest = hashlib.file_digest(tar, "sha256").hexdigest()
    name = f"{part.kind}-{digest[:20]}.tar"
    return {"name": name, "path": ansible.script(path), "size": path.stat().st_size}


def _pinned(reg: Registry, reader: str, recipe: Recipe) -> dict[str, str]:
    """Base image → where the fleet's registry has it, by digest."""
    return {
        name: f"{reader}/{reg.repository(images.library_name(name)[0])}@{digest}"
        for name, digest in recipe.bases.items()
    }


def order(
    job: Job,
    platform: str,
    node: Node,
    settings: Settings,
    context: Sequence[Packed],
    lent: Mapping[str, str],
) -> dict[str, Any]:
    """What the builder's program is told; `lent` is where it finds the registry's sides instead."""
    reg, release, project = registry.load(job.fleet), job.built.release, job.project
    config, recipe = project.config, project.recipes[platform]
    reader, writer = (lent.get(host, host) for host in (reg.reader, reg.writer))
    pinned = _pinned(reg, reader, recipe)
    text = networks.dockerfile(recipe.dockerfile, settings)
    repository = reg.repository(platforms.repository(platform))
    return {
        "id": f"{release.tag}-{platform}",
        "parts": [part["name"] for part in context],
        "dockerfile": images.with_bases(text, pinned),
        "arguments": dict(recipe.arguments),
        "platform": platforms.for_docker(platform),
        "architecture": platforms.architecture(platform),
        "bases": sorted(pinned.values()),
        "tag": f"{writer}/{repository}:{release.tag}",
        "pull_repository": f"{reader}/{repository}",
        "logins": {place: host for host, place in lent.items()},
        "labels": {
            "evc.image": release.model,
            "org.opencontainers.image.version": release.label,
            "org.opencontainers.image.revision": project.place.commit,
        },
        "test": {
            "command": config.tests.command,
            "config": containers.unpublished(containers.config(config)),
            "health": containers.health(_tried(config, platform, node), frames=False),
        },
    }


def _tried(config: ProjectConfig, platform: str, node: Node) -> Serve:
    """How the fresh image must serve on the builder; one that emulates gets its time."""
    slower = EMULATION if builders.emulates(platform, node) else 1
    period = min(config.serve.start_period * slower, 3600)
    return config.serve.model_copy(update={"publish": None, "start_period": period})
