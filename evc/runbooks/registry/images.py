"""The registry's images: bringing base images in, and listing what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evc.doors import archives, store
from evc.doors import docker as engine
from evc.doors import fleet as fleets
from evc.doors.docker import Say
from evc.doors.fleet import Fleet
from evc.doors.registry import Missing, RegistryClient
from evc.pure import platforms, references
from evc.pure.errors import BadInput, EvcError
from evc.pure.layout import ARCHIVES
from evc.pure.references import Reference
from evc.runbooks.registry.check import client, docker_login
from evc.runbooks.registry.containers import refused
from evc.runbooks.registry.files import Registry

LOADED = "Loaded image: "


@dataclass(frozen=True)
class Stored:
    """A tag of the registry and what it names; size in bytes as stored."""

    repository: str
    tag: str
    digest: str
    size: int
    architecture: str


def local_name(source: str, say: Say, platform: str = "") -> str:
    """The local engine's name for an image, pulled when absent, or for a saved archive of one.

    Raises BadInput for one that is not for `platform` ('': an archive's own, else this machine's).
    """
    docker = engine.connect()
    if source.endswith(ARCHIVES):
        return _for_platform(docker, _load(Path(source), say), platform)
    reference = str(references.parse(source))
    wanted = platforms.architecture(platform) if platform else engine.architecture(docker)
    there = engine.has_image(docker, reference)
    if not there or engine.architecture(docker, reference) != wanted:
        say(f"pulling {reference}")
        docker_platform = platforms.for_docker(platform) if platform else f"linux/{wanted}"
        if not engine.pull(docker, reference, docker_platform):
            why = f"{reference} is not on this machine's engine, and cannot be pulled"
            raise EvcError(why, "elsewhere: docker save -o FILE.tar; here: give FILE.tar. A proxy"
                           " for pulls is this Docker's own setting, not `network:`")  # fmt: skip
    return _for_platform(docker, reference, platform)


def _for_platform(docker: Any, name: str, platform: str) -> str:
    found = engine.architecture(docker, name)
    if platform and found != platforms.architecture(platform):
        raise BadInput(f"{name} is an image for {found}, not for {platform}")
    return name


def import_image(registry: Registry, local_image: str, as_name: str, say: Say) -> str:
    """Push `local_image` as `as_name`, unless it is there; the digest, as the nodes see it."""
    stored, docker = references.stored_as(as_name, registry.writer), engine.connect()
    target = replace(stored, repository=registry.repository(stored.repository))
    _require_plain(docker, registry)
    with refused(f"{local_image} cannot be pushed"):
        image = docker.images.get(local_image)
        if image.id != _config_digest(registry, stored):
            say(f"pushing {local_image} as {target}")
            image.tag(f"{target.registry}/{target.repository}", target.tag)
            try:
                engine.push(docker, str(target), docker_login(registry.push), lambda line: None)
            finally:
                docker.images.remove(str(target), noprune=True)
    return _verified(registry, stored)


def _require_plain(docker: Any, registry: Registry) -> None:
    """Raise EvcError where this machine's Docker would insist on TLS; it trusts loopback anyway."""
    known = docker.info().get("RegistryConfig", {}).get("IndexConfigs", {})
    for host in registry.insecure:
        if known.get(host, {}).get("Secure", True) and not host.startswith("127."):
            typed = f'"insecure-registries": ["{host}"] in /etc/docker/daemon.json'
            why = f"this machine's Docker does not talk to {host} without TLS"
            raise EvcError(why, f"{typed}, then `sudo systemctl reload docker`")


def listed(registry: Registry) -> list[Stored]:
    """Every tag of every repository, in order."""
    with client(registry, "reader") as reader:
        names = [(name, tag) for name in reader.catalogue() for tag in reader.tags(name)]
        found = [_stored(reader, name, tag) for name, tag in sorted(names)]
    return [each for each in found if each]


def record(fleet: Fleet, images: list[Stored]) -> None:
    """Make the table of repositories and tags say what the registry says."""
    now = [(each.repository, each.tag) for each in images]
    with store.opened(fleet.database, fleets.share() / "db") as database, database.transaction():
        known = database.rows("SELECT id, repository, tag FROM catalogue")
        for row in known:
            if (row["repository"], row["tag"]) not in now:
                database.write("DELETE FROM catalogue WHERE id = ?", [row["id"]])
        for pair in now:
            database.write("INSERT OR IGNORE INTO catalogue (repository, tag) VALUES (?, ?)", pair)


def _load(archive: Path, say: Say) -> str:
    """Load a `docker save` archive; its image's name. Raises BadInput unless it has just one."""
    lines: list[str] = []
    say(f"loading {archive}")
    api: Any = engine.connect().api
    if not archive.is_file():
        raise BadInput(f"{archive} does not exist")
    archives.inspect(archive)
    with archive.open("rb") as file, refused(f"{archive} cannot be loaded"):
        engine.follow(api.load_image(file), lines.append)
    names = [line.removeprefix(LOADED) for line in lines if line.startswith(LOADED)]
    if len(names) != 1:
        why = f"{archive} holds {len(names)} named images, not one"
        raise BadInput(why, "make it with `docker save -o FILE.tar NAME:TAG`")
    return names[0]


def _config_digest(registry: Registry, target: Reference) -> str | None:
    """The config of what `target` is now, which names an image's content on the engine too."""
    with client(registry, "writer") as writer:
        digest = writer.head(target.repository, target.tag)
        found = writer.manifest(target.repository, digest) if digest else None
    return found.config.digest if found and found.config else None


def _verified(registry: Registry, target: Reference) -> str:
    with client(registry, "writer") as writer, client(registry, "reader") as reader:
        pushed = writer.head(target.repository, target.tag)
        if not pushed:
            raise EvcError(f"{registry.writer} took {target} and does not have it")
        return reader.manifest(target.repository, pushed).digest


def _stored(reader: RegistryClient, name: str, tag: str) -> Stored | None:
    try:
        digest = reader.manifest(name, tag).digest
        size, architecture = reader.image_size(name, digest), reader.architecture(name, digest)
    except Missing:  # deleted while we looked
        return None
    return Stored(name, tag, digest, size, architecture)
