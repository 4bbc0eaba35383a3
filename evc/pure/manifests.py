"""What a registry answers, read strictly: manifests, indexes, image configs, lists of names.

Formats: OCI image specification 1.1 (manifest, image index, config) and Docker's image manifest
version 2, schema 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evc.pure.errors import EvcError
from evc.pure.references import Digest, Repository, Tag

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*INDEXES, *IMAGES))

Size = Annotated[int, Field(ge=0, le=2**50)]
Word = Annotated[str, Field(pattern=r"^[a-z0-9]{0,20}$")]


class Answer(BaseModel):
    """Base of what is read; keys that are not needed are left aside."""

    model_config = ConfigDict(frozen=True, strict=True, str_max_length=10_000)


class _Descriptor(Answer):
    digest: Digest
    size: Size


class _Platform(Answer):
    os: Word
    architecture: Word
    variant: Word = ""


class _Entry(_Descriptor):
    platform: _Platform | None = None


class _Image(Answer):
    mediaType: str = ""
    config: _Descriptor
    layers: Annotated[list[_Descriptor], Field(max_length=1000)]
    manifests: None = None


class _Index(Answer):
    mediaType: str = ""
    manifests: Annotated[list[_Entry], Field(max_length=1000)]
    layers: None = None


class Config(_Platform):
    """An image's config, as far as EVC needs it."""


class Repositories(Answer):
    """A page of the catalogue."""

    repositories: list[Repository] | None = None

    @property
    def names(self) -> list[str]:
        return self.repositories or []


class Tags(Answer):
    """The tags of a repository; null when all are gone."""

    tags: list[Tag] | None = None

    @property
    def names(self) -> list[str]:
        return self.tags or []


@dataclass(frozen=True)
class Layer:
    """A blob by its digest, with its size in bytes as stored."""

    digest: str
    size: int


@dataclass(frozen=True)
class Platform:
    """One image of an index, and what it runs on: `amd64`, `arm64`, `armv7`."""

    name: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """An image (`config` and `layers`) or an index of images (`platforms`)."""

    digest: str
    media_type: str
    config: Layer | None
    layers: tuple[Layer, ...]
    platforms: tuple[Platform, ...]

    @property
    def size(self) -> int:
        """Bytes of the config and all layers, as stored."""
        return sum(part.size for part in (*self.layers, self.config) if part)


Schema = TypeVar("Schema", bound=Answer)


def read(body: bytes, schema: type[Schema]) -> Schema:
    """`body` as a `schema` value; raises EvcError."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise EvcError(f"the registry's answer is not as it should be: {where[:80]!r}") from None


def manifest(body: bytes, digest: str, media_type: str) -> Manifest:
    """The manifest in `body`; raises EvcError for a type that was not asked for.

    The type that the body itself names must be the one of the header: a body that is an image to
    one reader and an index to another is refused (CVE-2021-41190).
    """
    found: _Image | _Index
    if media_type in INDEXES:
        index = found = read(body, _Index)
        parts = Manifest(digest, media_type, None, (), tuple(_platforms(index)))
    elif media_type in IMAGES:
        image = found = read(body, _Image)
        layers = tuple(Layer(layer.digest, layer.size) for layer in image.layers)
        config = Layer(image.config.digest, image.config.size)
        parts = Manifest(digest, media_type, config, layers, ())
    else:
        raise EvcError(f"the registry sent no manifest but {media_type[:80]!r}")
    if found.mediaType not in ("", media_type):
        raise EvcError(f"a manifest sent as {media_type} calls itself {found.mediaType[:80]!r}")
    return parts


def platform_name(architecture: str, variant: str = "") -> str:
    """`amd64`, `arm64`, `armv7`: 32-bit ARM differs by variant, 64-bit ARM is always v8."""
    return architecture + (variant if architecture == "arm" else "")


def _platforms(index: _Index) -> list[Platform]:
    """The images of an index; what buildx adds as `unknown/unknown` describes, and runs nowhere."""
    return [
        Platform(platform_name(entry.platform.architecture, entry.platform.variant), entry.digest)
        for entry in index.manifests
        if entry.platform and entry.platform.os != "unknown"
    ]
