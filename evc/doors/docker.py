"""The controller's own Docker engine (nodes' engines are reached through `evc_node`)."""

from __future__ import annotations

import functools
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils.build import PatternMatcher, exclude_paths

from evc.pure.errors import EvcError

Say = Callable[[str], None]


def connect() -> docker.DockerClient:
    """A client of the engine on this machine; raises EvcError when none answers."""
    try:
        client = docker.from_env(version=_api_version(), timeout=120)
        client.ping()
        return client
    except (DockerException, OSError) as error:
        raise EvcError(
            f"no Docker engine answers on this machine ({_short(error)})",
            "start it, or let `evc doctor --fix` install and start one",
        ) from None


@functools.cache
def _api_version() -> str:
    """What the library and this engine both speak; to answer, the engine runs two programs."""
    return str(docker.from_env(timeout=120).api.api_version)


def has_image(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
        return True
    except ImageNotFound:
        return False


def architecture(client: docker.DockerClient, name: str = "") -> str:
    """Of an image that is there, or of the engine's own machine, as Docker calls it: `arm64`."""
    if name:
        return str(client.images.get(name).attrs["Architecture"])
    return str(client.version()["Arch"])


def pull(client: docker.DockerClient, name: str, platform: str | None = None) -> bool:
    """Try to pull `name` from where its name says; False when that place does not answer."""
    try:
        client.images.pull(name, platform=platform)
        return True
    except APIError:
        return False


def build(
    client: docker.DockerClient,
    tag: str,
    files: Mapping[str, str],
    say: Say,
    proxies: Mapping[str, str] | None = None,
    platform: str | None = None,
) -> None:
    """Build `tag` from `files` (path → text, one of them `Dockerfile`); raises EvcError.

    `proxies` are build arguments that Docker knows by itself and keeps out of the image.
    """
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            data = text.encode()
            info.size, info.mode = len(data), 0o755 if text.startswith("#!") else 0o644
            archive.addfile(info, io.BytesIO(data))
    context.seek(0)
    stream = client.api.build(
        fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True,
        buildargs=dict(proxies or {}), platform=platform,
    )  # fmt: skip
    follow(stream, say)


def context_files(folder: Path, excluded: Sequence[str]) -> set[str]:
    """The paths below `folder` that `.dockerignore` patterns do not exclude, nor that file itself.

    It has done its work: a build would apply it again, where the files have other places.
    """
    return set(exclude_paths(str(folder), list(excluded))) - {".dockerignore"}


def left_out(folder: Path, patterns: Sequence[str]) -> list[str]:
    """What `patterns` exclude below `folder`; of an excluded folder only its own name."""
    matcher, found = PatternMatcher(list(patterns)), list[str]()
    for root, folders, names in os.walk(folder):
        place = Path(root).relative_to(folder)
        out = [name for name in [*folders, *names] if _matches(matcher, place / name)]
        folders[:] = sorted(set(folders) - set(out))
        found += [str(place / name) for name in out]
    return sorted(found)


def _matches(matcher: PatternMatcher, path: Path) -> bool:
    return bool(matcher.matches(str(path)))  # type: ignore[arg-type]  # it takes text alone


def import_root(client: docker.DockerClient, archive: Any, name: str) -> None:
    """Make image `name` from a tar stream of a root file system."""
    repository, _, tag = name.rpartition(":")
    client.api.import_image_from_data(archive, repository=repository, tag=tag)


def import_foreign_root(
    client: docker.DockerClient, archive: Path, name: str, platform: str
) -> None:
    """Make image `name` for another platform: the engine imports only for its own. EvcError."""
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w") as packed:
            text = b"FROM scratch\nADD root.tar /\n"
            head = tarfile.TarInfo("Dockerfile")
            head.size = len(text)
            packed.addfile(head, io.BytesIO(text))
            packed.add(archive, "root.tar")
        context.seek(0)
        stream = client.api.build(
            fileobj=context, custom_context=True, tag=name, rm=True, decode=True, platform=platform
        )
        follow(stream, lambda line: None)


def push(client: docker.DockerClient, name: str, login: Mapping[str, str], say: Say) -> None:
    """Push `name`; the SDK does not raise, so each line is read for its error."""
    follow(client.api.push(name, stream=True, decode=True, auth_config=dict(login)), say)


def follow(stream: Iterator[dict[str, Any]], say: Say) -> None:
    """Pass an engine's progress lines to `say`; raises EvcError with the engine's own error."""
    tail: list[str] = []
    for event in stream:
        line = str(event.get("stream") or event.get("status") or "").rstrip()
        if line:
            tail = [*tail[-39:], line]
            say(line)
        if "error" in event:
            raise EvcError(f"Docker: {event['error']}\n" + "\n".join(tail))


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:160]
