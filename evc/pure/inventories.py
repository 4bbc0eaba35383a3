"""Inventory files that people have, read into checked values: Ansible's INI and YAML, and CSV.

Nothing in such a file is run or looked up; all that is wrong in it is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from evc.pure import inventory_csv, inventory_ini, inventory_tree, inventory_yaml, names, yamltext
from evc.pure.errors import BadFile, Problem
from evc.pure.inventory_tree import Raw, Tree
from evc.pure.names import Address, GroupName, Jump, NodeName, Port, SafeText, User
from evc.pure.schema import Strict

_YAML = re.compile(r"\s*(#.*\n\s*)*(---|\{|[\w.-]+:\s*(#.*)?$)", re.MULTILINE)


def _labels(value: object) -> object:
    """`site=busan; rack=2` as pairs."""
    if not isinstance(value, str):
        return value
    return dict(names.label(one.strip()) for one in re.split(r"[,;|]", value) if one.strip())


Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Listed(Strict):
    """One node as a file lists it; None is what the file does not say."""

    name: NodeName
    address: Address | None = None
    port: Port | None = None
    user: User | None = None
    key: SafeText | None = None
    sudo_file: SafeText | None = None
    jump: Jump | None = None
    groups: tuple[GroupName, ...] | None = None
    labels: Annotated[dict[NodeName, SafeText], BeforeValidator(_labels)] = {}
    title: SafeText | None = None
    latitude: Annotated[Degrees, Field(ge=-90, le=90)] | None = None
    longitude: Degrees | None = None
    place: SafeText | None = None
    roles: tuple[Literal["builder", "edge"], ...] | None = None


@dataclass(frozen=True)
class Listing:
    """A file as read. `lines` says where each node stands, `left_out` which variables EVC ignores.

    `plain_names`: a name without an address is no host name, as it is in Ansible's formats.
    """

    file: str
    nodes: tuple[Listed, ...]
    problems: tuple[Problem, ...]
    lines: Mapping[str, int]
    left_out: tuple[str, ...] = ()
    plain_names: bool = False


def read(text: str, file: str, local: Iterable[str] = ()) -> Listing:
    """An inventory file's text as values; its name or else its look tells the format.

    `local` are the names that may be the controller itself.
    """
    if len(text) > yamltext.MAX_CHARACTERS:
        said = f"larger than {yamltext.MAX_CHARACTERS:,} characters"
        return Listing(file, (), (Problem(file, 1, "-", said),), {})
    if file.lower().endswith(".csv"):
        raws, problems = inventory_csv.read(text, file)
        return _listing(file, raws, problems, (), plain_names=True)
    tree = Tree(file, frozenset(local))
    try:
        (inventory_yaml if _is_yaml(text, file) else inventory_ini).read(text, tree)
    except BadFile as error:
        return Listing(file, (), tuple(error.problems), {})
    raws = inventory_tree.resolve(tree)
    return _listing(file, raws, tree.problems, sorted(tree.left_out), plain_names=False)


def _is_yaml(text: str, file: str) -> bool:
    if file.lower().endswith((".yaml", ".yml", ".json")):
        return True
    return not file.lower().endswith(".ini") and _YAML.match(text) is not None


def _listing(
    file: str,
    raws: list[Raw],
    problems: list[Problem],
    left_out: Iterable[str],
    plain_names: bool,
) -> Listing:
    nodes, found = [], list(problems)
    lines: dict[str, int] = {}
    for raw in raws:
        if raw.name in lines:
            found.append(Problem(file, raw.line, raw.name, f"is on line {lines[raw.name]} already"))
        lines.setdefault(raw.name, raw.line)
        try:
            nodes.append(Listed.model_validate(raw.values))
        except ValidationError as error:
            found += [_problem(file, raw, detail) for detail in error.errors()]
    if not raws and not found:
        found.append(Problem(file, 1, "-", "names no node"))
    return Listing(file, tuple(nodes), tuple(found), lines, tuple(left_out), plain_names)


def _problem(file: str, raw: Raw, detail: Any) -> Problem:
    path = [str(part) for part in detail["loc"] if part != "[key]"]
    line, key = raw.line, raw.name[:80]
    for length in (1, 2):
        line, key = raw.places.get(".".join(path[:length]), (line, key))
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Problem(file, line, key or "-", message)
