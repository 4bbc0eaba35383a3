"""Image references: `HOST:PORT/repository:tag@digest` and their parts.

The grammar is the one of github.com/distribution/reference, narrowed: SHA-256 digests only, and no
IPv6 literals, which Docker 20.10 does not take in a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from evc.pure import names
from evc.pure.errors import BadInput

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BadReference(BadInput, ValueError):
    """Not an image reference. Also a ValueError, so that schemas may use these checks."""


def repository(value: str) -> str:
    """A repository's name, `library/python`; raises BadReference."""
    if len(value) > 255 or not _REPOSITORY.fullmatch(value):
        raise BadReference(f"{value[:80]!r} is not a repository name: lower-case letters, digits, "
                           "single '.', '_', '-' between them, '/', at most 255")  # fmt: skip
    return value


def tag(value: str) -> str:
    """An image's tag; raises BadReference."""
    if not _TAG.fullmatch(value):
        rule = "is not a tag: letters, digits, '_', '.', '-', at most 128"
        raise BadReference(f"{value[:80]!r} {rule}")
    return value


def digest(value: str) -> str:
    """A content's digest, `sha256:` and 64 hex digits; raises BadReference."""
    if not _DIGEST.fullmatch(value):
        raise BadReference(f"{value[:80]!r} is not a digest: sha256: and 64 hex digits")
    return value


class HostPort(NamedTuple):
    """Where a registry listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def host_port(value: str) -> HostPort:
    """`HOST:PORT` with a name or an IPv4 address; raises BadReference."""
    host, colon, port = value.rpartition(":")
    try:
        if not colon or ":" in host:
            raise ValueError(f"{value[:80]!r} is not HOST:PORT with a host name or IPv4 address")
        return HostPort(names.address(host), names.port(port))
    except ValueError as error:
        raise BadReference(str(error)) from None


def is_host_port(value: str | None) -> bool:
    """Whether `value` has the form `HOST:PORT`, rather than an account's name."""
    try:
        return bool(host_port(value or ""))
    except BadReference:
        return False


@dataclass(frozen=True)
class Reference:
    """An image's name by its parts, each checked; `registry`, `tag` and `digest` may be empty."""

    repository: str
    registry: str = ""
    tag: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        repository(self.repository)
        if self.registry:
            _registry(self.registry)
        if self.tag:
            tag(self.tag)
        if self.digest:
            digest(self.digest)

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        name += f":{self.tag}" if self.tag else ""
        return name + (f"@{self.digest}" if self.digest else "")


def parse(value: str) -> Reference:
    """A reference by its text; raises BadReference."""
    name, at, digest = value.partition("@")
    first, slash, rest = name.partition("/")
    registry = first if slash and ("." in first or ":" in first or first == "localhost") else ""
    path, colon, tag = (rest if registry else name).partition(":")
    if (at and not digest) or (colon and not tag):
        raise BadReference(f"{value[:80]!r} ends before its tag or digest")
    return Reference(path, registry, tag, digest)


def stored_as(value: str, registry: str) -> Reference:
    """Where `registry` keeps the base image `value`; an official name gets `library/`.

    Raises BadReference, also for a name with a digest and no tag to keep it under.
    """
    given = parse(value)
    if given.digest and not given.tag:
        raise BadReference(f"{value[:80]!r} has no tag to store it under", "add --as NAME:TAG")
    path = given.repository if "/" in given.repository else f"library/{given.repository}"
    return replace(given, repository=path, registry=registry, tag=given.tag or "latest", digest="")


def _registry(value: str) -> str:
    host = value if ":" in value else f"{value}:443"
    return str(host_port(host))


Repository = Annotated[str, AfterValidator(repository)]
Tag = Annotated[str, AfterValidator(tag)]
Digest = Annotated[str, AfterValidator(digest)]
