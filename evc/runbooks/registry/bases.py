"""Base images in the fleet's registry: which of them is for a platform.

`NAME:TAG` is an index of several platforms or an image for one; what was imported for another
one is `NAME:TAG-PLATFORM`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from evc.doors.registry import RegistryClient
from evc.pure import images, platforms, references
from evc.pure.errors import BadInput
from evc.runbooks.registry import check
from evc.runbooks.registry.files import Registry


def digests(registry: Registry, names: Collection[str], platform: str) -> dict[str, str]:
    """Base image → its digest for `platform`, for those that were brought in.

    Raises BadInput for one that was brought in for other platforms alone.
    """
    family, found = platforms.family(platform), dict[str, str]()
    with check.client(registry, "reader") as reader:
        for name in names:
            repository, tag = images.library_name(name)
            digest = _digest(reader, name, repository, tag, family) if repository else ""
            found |= {name: digest} if digest else {}
    return found


def tag_for(name: str, platform: str) -> str:
    """What `NAME[:TAG]` is called when it is imported for a platform of its own."""
    given = references.parse(name)
    return str(replace(given, tag=f"{given.tag or 'latest'}-{platform}", digest=""))


def _digest(reader: RegistryClient, name: str, repository: str, tag: str, family: str) -> str:
    """'' when the registry does not have the image at all."""
    if own := reader.head(repository, f"{tag}-{family}"):
        return own
    digest = reader.head(repository, tag)
    if not digest:
        return ""
    parts = {part.name: part.digest for part in reader.manifest(repository, digest).platforms}
    there = parts or {reader.architecture(repository, digest): digest}
    if family in there:
        return there[family]
    raise BadInput(
        f"{name} is in the registry for {', '.join(sorted(there))}, not for {family}",
        f"evc registry import {name} --platform {family}",
    )
