"""Where a project's own Dockerfile puts a file: its `ADD`, `COPY` and `WORKDIR` lines followed.

Format: https://docs.docker.com/reference/dockerfile/. What a `RUN` does there is not known here.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

_COMMENT = re.compile(r"^\s*#.*\n?", re.MULTILINE)
_CONTINUED = re.compile(r"\\[ \t]*\n")
_ROOT = PurePosixPath("/")


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in order, each as its name in capitals and the rest."""
    lines = _CONTINUED.sub("", _COMMENT.sub("", text)).splitlines()
    words = [line.strip().partition(" ") for line in lines if line.strip()]
    return [(name.upper(), rest.strip()) for name, _, rest in words]


def folder_of(
    name: str, text: str, files: Collection[str], archives: Mapping[str, Collection[str]]
) -> str:
    """The folder of an image where the file `name` lies, or '' where that cannot be told.

    `files` are the context's paths, `archives` what each archive among them holds (`ADD` unpacks
    them). The image's own `WORKDIR` comes first, then what lies nearest to the root.
    """
    workdir, places = _ROOT, set[PurePosixPath]()
    for word, rest in instructions(text):
        if word == "FROM":
            workdir, places = _ROOT, set()
        elif word == "WORKDIR":
            workdir = joined(workdir, rest.strip("\"'"))
        elif word in ("ADD", "COPY"):
            unpacked = archives if word == "ADD" else {}
            places |= set(_places(name, workdir, rest, files, unpacked))
    found = sorted(places, key=lambda place: (place != workdir, len(place.parts), str(place)))
    return str(found[0]) if found else ""


def _places(
    name: str,
    workdir: PurePosixPath,
    rest: str,
    files: Collection[str],
    archives: Mapping[str, Collection[str]],
) -> Iterator[PurePosixPath]:
    """The folders into which one `ADD` or `COPY` puts files called `name`."""
    words = _words(rest)
    if len(words) < 2 or any(word.startswith("--from") for word in words):
        return
    sources = [word for word in words[:-1] if not word.startswith("--")]
    target = joined(workdir, words[-1])
    is_folder = words[-1].endswith(("/", ".")) or len(sources) > 1
    for source in (str(PurePosixPath("/") / one)[1:] for one in sources):
        for path in files:
            inner = _below(path, source)
            if inner is None:
                continue
            if path in archives and not inner.parts:
                yield from (joined(target, one).parent for one in _called(name, archives[path]))
            elif inner.parts:
                yield from (target / one.parent for one in [inner] if one.name == name)
            elif is_folder and PurePosixPath(path).name == name:
                yield target
            elif not is_folder and target.name == name:
                yield target.parent


def _words(rest: str) -> list[str]:
    """The words of an instruction: plain, or a JSON list."""
    if not rest.startswith("["):
        return rest.split()
    try:
        return [str(word) for word in json.loads(rest)]
    except ValueError:
        return []


def _below(path: str, source: str) -> PurePosixPath | None:
    """What of `path` lies below `source`, empty for itself; None when it is not its business."""
    whole = PurePosixPath(path)
    if not source or whole.is_relative_to(source):
        return whole.relative_to(source) if source else whole
    return PurePosixPath() if fnmatch.fnmatchcase(path, source) else None


def _called(name: str, paths: Collection[str]) -> list[str]:
    return [path for path in paths if PurePosixPath(path).name == name]


def joined(folder: PurePosixPath, path: str) -> PurePosixPath:
    """`path` as seen from `folder`, without its `.` and `..`."""
    parts: list[str] = []
    for part in (folder / path).parts[1:]:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return _ROOT.joinpath(*parts)
