"""Settings: variables, files and secrets that containers get, by fleet, group and node."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evc.pure.errors import BadInput
from evc.pure.names import printable
from evc.pure.secret import Secret

Level = Literal["fleet", "group", "node"]
Kind = Literal["variable", "file", "secret"]

FOLDER = "/run/evc"  # where a container finds files and secrets
MAX_CHARACTERS = 500_000
_LEVELS = ("fleet", "group", "node")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A password in a URL, which would be seen in the shell's history and in `ps`.
_LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_RESERVED = re.compile(r"EVC_.*|HOME|PATH|LD_.*", re.DOTALL)


@dataclass(frozen=True)
class Scope:
    """Where a setting holds: the fleet, a group or a node, and (`model`) one model or all."""

    level: Level
    owner: str = ""
    model: str = ""

    def __str__(self) -> str:
        where = f"{self.level} {self.owner}".strip()
        return f"{where}, {self.model}" if self.model else where

    @property
    def rank(self) -> tuple[int, bool]:
        """What is nearer to a container wins: fleet < group < node, all models < this one."""
        return _LEVELS.index(self.level), bool(self.model)


@dataclass(frozen=True)
class Setting:
    """One setting in one scope. The value is kept as a Secret, whatever its kind."""

    scope: Scope
    key: str
    kind: Kind
    value: Secret

    @property
    def shown(self) -> str:
        """The value for people: a secret's is not shown, a file's is its length."""
        if self.kind == "secret":
            return str(self.value)
        text = self.value.reveal()
        return text if self.kind == "variable" else f"{len(text):,} characters"


@dataclass(frozen=True)
class Resolved:
    """What a container of one model gets on one node; files by their names below FOLDER."""

    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Secret] = field(default_factory=dict)


def setting(scope: Scope, kind: Kind, key: str, value: str) -> Setting:
    """A checked setting; raises BadInput."""
    pattern, rule = (_FILE, "a file's name") if kind == "file" else (_VARIABLE, "a variable's name")
    if not pattern.fullmatch(key):
        raise BadInput(f"{key[:80]!r} is not {rule}", "letters, digits and '_', at most 64")
    if _RESERVED.fullmatch(key):
        raise BadInput(f"{key} is not for settings to change", "choose another name")
    if len(value) > MAX_CHARACTERS:
        raise BadInput(f"{key} is longer than {MAX_CHARACTERS:,} characters", "make it a weight")
    if "\0" in value or (kind == "variable" and printable(value) != value):
        raise BadInput(f"{key} holds control characters", "evc config set --file NAME=FILE")
    if kind == "variable" and _LOGIN.search(value):
        raise BadInput(f"{key} holds a password", f"evc secret set {key}")
    return Setting(scope, key, kind, Secret(value))


def effective(
    known: Iterable[Setting], node: str, groups: Collection[str], model: str
) -> dict[str, Setting]:
    """The settings that hold for `model` on a node, by key.

    Raises BadInput where two of its groups say different things.
    """
    by_key: dict[str, list[Setting]] = {}
    for one in known:
        if holds(one.scope, node, groups, model):
            by_key.setdefault(one.key, []).append(one)
    return {key: _nearest(by_key[key], node) for key in sorted(by_key)}


def resolved(settings: Mapping[str, Setting]) -> Resolved:
    """What a container gets: a secret is a file too, and NAME_FILE says where."""
    variables, files = {}, {}
    for key, one in sorted(settings.items()):
        if one.kind == "variable":
            variables[key] = one.value.reveal()
        else:
            folder = "secrets" if one.kind == "secret" else "files"
            files[f"{folder}/{key}"] = one.value
        if one.kind == "secret":
            variables[f"{key}_FILE"] = f"{FOLDER}/secrets/{key}"
    return Resolved(variables, files)


def holds(scope: Scope, node: str, groups: Collection[str], model: str) -> bool:
    """Whether a setting of `scope` is one of `model`'s on a node in `groups`."""
    if scope.model not in ("", model):
        return False
    if scope.level == "group":
        return scope.owner in groups
    return scope.level == "fleet" or scope.owner == node


def _nearest(found: Sequence[Setting], node: str) -> Setting:
    """The nearest of the settings of one key; raises BadInput where two as near differ."""
    rank = max(one.scope.rank for one in found)
    first, *others = [one for one in found if one.scope.rank == rank]
    for other in others:
        if (first.kind, first.value) != (other.kind, other.value):
            raise BadInput(
                f"{first.key} is one thing in {first.scope} and another in {other.scope}",
                f"evc config set {first.key}=… --node {node}",
            )
    return first
