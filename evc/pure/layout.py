"""Where a project's files go in the build context, and in which part of it they travel.

Parts are named by their content, so that a code edit sends the code again and not the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from evc.pure.config import ProjectConfig
from evc.pure.images import File

CONFIG = "myEVCconfig.yaml"
DOCKERFILE = "Dockerfile"
ARCHIVES = (".tar", ".tar.gz", ".tgz")

# Never part of an image: history, secrets, what machines make anew. A project's own
# `.dockerignore` cannot take that back.
EXCLUDED = (
    "**/.git",
    "**/.env*",
    ".venv",
    "venv",
    "**/__pycache__",
    "**/*.pyc",
    "**/.DS_Store",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    "node_modules",
    ".dockerignore",
    CONFIG,  # the last: it goes into the release's hash and not into the image
)


@dataclass(frozen=True)
class Part:
    """Files of one kind: context path → file of the project."""

    kind: str
    files: Mapping[str, File]


def parts(project: ProjectConfig, files: Sequence[File]) -> list[Part]:
    """A project's files as parts of the context: weights, and all the rest."""
    own = any(one.path == DOCKERFILE for one in files)
    weights = {one.path: one for one in files if _is_weight(project, one.path)}
    rest = {one.path: one for one in files if one.path not in weights}
    if own:
        return _parts(weights, rest)
    return _parts(
        {f"weights/{path}": one for path, one in weights.items()},
        {_place(project, path): one for path, one in rest.items()},
    )


def _parts(weights: dict[str, File], rest: dict[str, File]) -> list[Part]:
    return [Part(kind, found) for kind, found in (("weights", weights), ("code", rest)) if found]


def _place(project: ProjectConfig, path: str) -> str:
    return "requirements.txt" if path == project.requirements else f"code/{path}"


def _is_weight(project: ProjectConfig, path: str) -> bool:
    places = [PurePosixPath(one.path) for one in project.weights if one.path]
    return any(PurePosixPath(path).is_relative_to(place) for place in places)
