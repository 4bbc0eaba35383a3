"""How a build ended on a builder: an image that the registry has, or where it failed."""

from __future__ import annotations

from typing import Any

from evc.pure import hardening, observations, platforms
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.runbooks import registry, releases
from evc.runbooks.build_orders import Job
from evc.runbooks.follow import Entry
from evc.runbooks.registry import check as registry_check
from evc.runbooks.releases import Image


class OtherDigest(EvcError):
    """An image that was lost came out otherwise when it was built again."""


def take(job: Job, platform: str, node: Node, end: Entry) -> None:
    """Note what a builder pushed, if the registry has it; raises EvcError."""
    said = observations.pushed(end)
    repository, recipe = platforms.repository(platform), job.project.recipes[platform]
    image = Image(platform, repository, job.built.release.tag, said.digest, said.size, recipe.hash)
    before = job.built.images.get(platform)
    if before and before.digest != image.digest:
        raise OtherDigest(f"{job.built.release.label} for {platform} was {before.digest}")
    with registry_check.client(registry.load(job.fleet), "reader") as client:
        if client.head(repository, image.digest) is None:
            raise EvcError(f"{node.name} says it pushed {image.digest}; the registry has no such")
    releases.record_image(job.store, job.built.id, image, node.name)


def failure(
    job: Job, platform: str, node: Node, end: Entry, tail: list[str], order: dict[str, Any]
) -> EvcError:
    """Where a build ended and its last lines; for a hardened default, the key that loosens it."""
    step, reason = str(end.get("at", "")), str(end.get("reason", ""))
    where = f"building {job.built.release.label} for {platform} on {node.name}"
    last = "".join(f"\n  | {line}" for line in tail)
    said = "\n".join([*tail, reason])
    key = hardening.key(said, order["test"]["config"]) if step == "test" else ""
    remedy = f"`{key}` in myEVCconfig.yaml loosens this one default" if key else ""
    at = f" at '{step}'" if step else ""  # none where it never began, or nobody heard more
    return EvcError(f"{where} failed{at}: {reason}{last}", remedy)
