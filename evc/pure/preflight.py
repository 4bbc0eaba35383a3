"""What in a project's own Dockerfile is refused, or warned of, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from evc.pure import dockerfiles
from evc.pure.platforms import SECRET_NAME

_ESCAPE = re.compile(r"^\s*#\s*escape\s*=\s*[^\\\s]", re.IGNORECASE | re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+][^}]*)?\}|(\w+))")
# The kernel's own, where a folder may be another process' or the host's (CVE-2024-21626).
KERNEL = ("/proc", "/sys", "/dev")


@dataclass(frozen=True)
class Doubt:
    """One thing found, with its remedy; `refused` ones are never built."""

    what: str
    remedy: str
    refused: bool = False


def in_kernel(path: str) -> bool:
    """Whether an absolute path, its `..` followed, lies in what is the kernel's."""
    place = dockerfiles.joined(PurePosixPath("/"), path)
    return any(place.is_relative_to(one) for one in KERNEL)


def doubts(text: str, arguments: Mapping[str, str]) -> list[Doubt]:
    """What is odd in a Dockerfile that is built with `arguments`."""
    if _ESCAPE.search(text):
        why = "the Dockerfile changes its escape character, so that it reads otherwise than it does"
        return [Doubt(why, "take the line `# escape=` out", refused=True)]
    instructions = dockerfiles.instructions(text)
    found = list(_each(instructions, dict(arguments)))
    if _is_root(instructions):
        why = "the Dockerfile names no USER but root; EVC runs it as 10001 unless `serve: root`"
        found.append(Doubt(why, "end it with `USER 10001`"))
    return list(dict.fromkeys(found))


def _is_root(instructions: list[tuple[str, str]]) -> bool:
    """Whether its last stage ends as root, as far as the file itself says."""
    last = [(word, rest) for word, rest in instructions if word in ("FROM", "USER")][-1:]
    return any(word == "FROM" or rest.partition(":")[0] in ("root", "0") for word, rest in last)


def _each(instructions: list[tuple[str, str]], known: dict[str, str]) -> Iterator[Doubt]:
    folder, stages = PurePosixPath("/"), {"scratch"}
    for name, whole in instructions:
        word, rest = _unwrapped(name, whole)
        if word == "FROM":
            folder = PurePosixPath("/")
            yield from _base(_expanded(rest, known), stages)
        elif word in ("ARG", "ENV"):
            yield from _variables(word, rest, known)
        elif word == "WORKDIR":
            folder = dockerfiles.joined(folder, _expanded(rest.strip("\"'"), known))
            if in_kernel(str(folder)):
                why = f"the Dockerfile's WORKDIR {rest[:80]} is the kernel's, and may be the host's"
                yield Doubt(why, "any other folder", refused=True)


def _unwrapped(name: str, rest: str) -> tuple[str, str]:
    """`ONBUILD X …` as the `X …` that it will be."""
    if name != "ONBUILD":
        return name, rest
    word, _, inner = rest.partition(" ")
    return word.upper(), inner.strip()


def _base(rest: str, stages: set[str]) -> Iterator[Doubt]:
    words = [word for word in rest.split() if not word.startswith("--")]
    image = words[0] if words else ""
    tag = image.rpartition("/")[2].partition(":")[2]
    if image.lower() not in stages and "@" not in image and tag in ("", "latest"):
        why = f"FROM {image[:80]} is another image from one day to the next"
        yield Doubt(why, "name a version: python:3.11-slim")
    if len(words) > 2:
        stages.add(words[2].lower())


def _variables(word: str, rest: str, known: dict[str, str]) -> Iterator[Doubt]:
    """Notes what variables hold; a name with a value by a space is `ENV`'s old form."""
    pairs = re.findall(r"(\w+)(?:=(\"[^\"]*\"|'[^']*'|\S*))?", rest)
    if word == "ENV" and "=" not in rest.partition(" ")[0]:
        pairs = [(rest.partition(" ")[0], rest.partition(" ")[2].strip())]
    for name, value in pairs:
        if word == "ENV" or name not in known:
            known[name] = _expanded(value.strip("\"'"), known)
        if SECRET_NAME.search(name):
            why = f"{word} {name[:80]}: what it holds stays in the image for all who pull it"
            yield Doubt(why, "`evc secret set`: a file for the container alone")


def _expanded(text: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match.group(1) or match.group(2), ""), text)
