"""From a release and a node to the container that shall run there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import containers, devices, platforms, room
from evc.pure.config import ProjectConfig
from evc.pure.containers import Given, Volume
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.outcomes import Word
from evc.pure.plan import ImageRef, Wish
from evc.pure.settings import FOLDER, Resolved, Setting, effective, resolved
from evc.runbooks import assignments, releases, settings
from evc.runbooks.releases import Built

Problem = tuple[Word, tuple[str, ...], str]


def wishes(
    fleet: Fleet, store: Store, built: Built, nodes: Sequence[Node]
) -> tuple[dict[str, Wish], dict[str, Problem]]:
    """A wish for each node that can run `built`, and why the others cannot."""
    found: dict[str, Wish] = {}
    problems: dict[str, Problem] = {}
    known = settings.everything(fleet, store)
    others = _others(store, built, nodes)
    for node in nodes:
        platform = built.platform(node)
        if node.unusable:
            problems[node.name] = ("pending", (), node.unusable)
        elif platform not in built.images:
            problems[node.name] = ("failed", (), _lacking(built, platform))
        else:
            try:
                found[node.name] = _wish(
                    fleet, store, built, node, platform, known, others[node.name]
                )
            except BadInput as error:
                problems[node.name] = ("failed", (), str(error))
    return found, problems


def _lacking(built: Built, platform: str) -> str:
    name = f"{built.release.model}:{built.release.label}"
    there = ", ".join(sorted(built.images)) or "none"
    why = f"it needs an image for {platform}, and {built.release.label} has those for: {there}"
    return f"{why}; `evc model build {name} --platform {platform}` adds it"


def _wish(
    fleet: Fleet,
    store: Store,
    built: Built,
    node: Node,
    platform: str,
    known: Sequence[Setting],
    others: Mapping[str, ProjectConfig],
) -> Wish:
    image, model, label = built.images[platform], built.release.model, built.release.label
    project = built.project.on(node.name)
    if problem := room.problem(project, others, _memory(node)):
        raise BadInput(problem)
    held = effective(known, node.name, node.groups, model)
    camera = held[devices.CAMERA].value.reveal() if devices.CAMERA in held else ""
    own, has = resolved(held), devices.given(project.serve, node.facts, camera)
    volumes = _volumes(fleet, built, own)
    about = {"EVC_MODEL": model, "EVC_RELEASE": label, "EVC_NODE": node.name}
    given = Given({**own.variables, **has.variables, **about}, volumes, has.host)
    request = containers.config(project, given)
    check = containers.health(project.serve)
    spec = containers.spec(request, check, image.digest)
    labels = {
        "evc.fleet": fleet.id,
        "evc.model": model,
        "evc.release": label,
        "evc.digest": image.digest,
        "evc.spec": spec,
    }
    return Wish(
        model=model,
        release=label,
        image=ImageRef(image.repository, image.digest),
        architecture=platforms.architecture(platform),
        spec=spec,
        request={**request, "Labels": labels},
        health=check,
        previous=_previous(store, built, node),
        volumes=volumes,
        files=own.files,
    )


def _volumes(fleet: Fleet, built: Built, own: Resolved) -> tuple[Volume, ...]:
    """The volume of settings, a mark of its content in its name; and the cache, if one is asked."""
    serve, name = built.project.serve, f"evc-{built.release.model}"
    owner = containers.owner(serve)
    mark = settings.mark(fleet, own, owner)
    found = [Volume(f"{name}-settings-{mark}", "settings", FOLDER, owner)] if mark else []
    found += [Volume(f"{name}-cache", "cache", serve.cache, owner)] if serve.cache else []
    return tuple(found)


def _others(
    store: Store, built: Built, nodes: Sequence[Node]
) -> dict[str, dict[str, ProjectConfig]]:
    """Node → the other models that it should run, as they run there."""
    found: dict[str, dict[str, ProjectConfig]] = {node.name: {} for node in nodes}
    for (model, release), those in assignments.wanted(store, nodes, hopeless=False).items():
        if model != built.release.model:
            project = releases.by_id(store, release).project
            for node in those:
                found[node.name][model] = project.on(node.name)
    return found


def _memory(node: Node) -> int:
    found = node.facts.get("memory")
    return found if isinstance(found, int) else 0


def _previous(store: Store, built: Built, node: Node) -> ImageRef | None:
    """The image that a rollback of this node would need."""
    release_id = assignments.previous(store, node, built)
    if not release_id:
        return None
    before = releases.by_id(store, release_id)
    image = before.images.get(before.platform(node))
    return ImageRef(image.repository, image.digest) if image else None
