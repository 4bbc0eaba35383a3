"""Hosts, groups and variables of an Ansible inventory, and what they say of each host.

Variables are taken from a short list; whatever could start a program is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from evc.pure.errors import Problem
from evc.pure.names import SECTIONS

MAX_HOSTS = 10_000

# Ansible's name → the field of `inventories.Listed`. EVC's own names stand for themselves.
FIELDS = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "key",
    "ansible_private_key_file": "key",
} | {
    name: name for name in
    ("title", "labels", "latitude", "longitude", "place", "jump", "sudo_file")
}  # fmt: skip
# What EVC does anyway.
_HARMLESS = {
    "ansible_connection": {"ssh", "smart"},
    "ansible_become": {"true", "yes", "1"},
    "ansible_become_method": {"sudo"},
    "ansible_become_user": {"root"},
    "ansible_python_interpreter": {"python3", "/usr/bin/python3", "auto", "auto_silent"},
    "ansible_ssh_transfer_method": {"smart", "sftp", "scp", "piped"},
}
_PASSWORD = re.compile(r"(^|_)(pass|passwd|password|passphrase)$")
_TEMPLATES = ("{{", "{%", "{#")
_RANGE = re.compile(r"\[(\d{0,9}|[A-Za-z]):(\d{1,9}|[A-Za-z])(?::(\d{1,9}))?\]")

_USE_SUDO_FILE = "take it out; `--sudo-file FILE` (0600) has a line `NAME: PASSWORD` for each node"
_USE_JUMP = "a jump host is `jump=[USER@]HOST[:PORT]`; more belongs into ~/.ssh/config"


@dataclass(frozen=True)
class Said:
    """A value as the file says it, and where."""

    value: str
    line: int
    key: str


@dataclass(frozen=True)
class Raw:
    """What a file says of one node, unchecked: field → value, and where each stands."""

    name: str
    line: int
    values: dict[str, Any]
    places: dict[str, tuple[int, str]]


@dataclass
class _Group:
    line: int = 1
    hosts: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    variables: dict[str, Said] = field(default_factory=dict)


class Tree:
    """An inventory as it is read: groups below `all`, hosts, problems, variables left out.

    `local` are the nodes that may be the controller itself.
    """

    def __init__(self, file: str, local: frozenset[str] = frozenset()) -> None:
        self.file = file
        self.local = local
        self.problems: list[Problem] = []
        self.left_out: set[str] = set()
        self.groups: dict[str, _Group] = {"all": _Group()}
        self.hosts: dict[str, dict[str, Said]] = {}
        self.lines: dict[str, int] = {}

    def problem(self, line: int, key: str, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.file, line, key, message, remedy))

    def group(self, name: str, line: int) -> None:
        self.groups.setdefault(name, _Group(line))

    def child(self, parent: str, name: str, line: int) -> None:
        self.group(name, line)
        self.groups[parent].children.add(name)

    def host(self, group: str, pattern: str, line: int) -> list[str]:
        """Note the hosts that `pattern` means, ranges like `cam[01:20]` expanded; their names."""
        try:
            found = list(expand(pattern))
        except ValueError as error:
            self.problem(line, pattern[:80], str(error))
            return []
        for name in found:
            self.hosts.setdefault(name, {})
            self.lines.setdefault(name, line)
            self.groups[group].hosts.add(name)
        if len(self.hosts) > MAX_HOSTS:
            self.problem(line, pattern[:80], f"more than {MAX_HOSTS:,} hosts")
            self.hosts = {}
        return found

    def host_variable(self, host: str, name: str, value: object, line: int) -> None:
        """Note what a line says of a host; two lines must not contradict each other."""
        said = self._variable(host, name, value, line)
        before = self.hosts.get(host, {}).get(name)
        if said and before and before.value != said.value:
            self.problem(line, said.key, f"{said.value!r} here, {before.value!r} on {before.line}")
        elif said and host in self.hosts:
            self.hosts[host][name] = said

    def group_variable(self, group: str, name: str, value: object, line: int) -> None:
        """Note a variable of all hosts of a group."""
        said = self._variable(group, name, value, line)
        if said:
            self.groups[group].variables[name] = said

    def _variable(self, owner: str, name: str, value: object, line: int) -> Said | None:
        """The variable, when it is one that EVC takes."""
        text, key = str(value), f"{owner}.{name}"
        if any(mark in text or mark in name for mark in _TEMPLATES):
            self.problem(line, key, "holds a template", "write the value itself")
        elif _PASSWORD.search(name):
            self.problem(line, key, "a password does not belong here", _USE_SUDO_FILE)
        elif name in FIELDS:
            return Said(text, line, key)
        elif self._is_harmless(owner, name, text):
            return None
        elif name.startswith("ansible_") and ("args" in name or "proxy" in text.lower()):
            self.problem(line, key, "could start a program here; it is refused", _USE_JUMP)
        elif name.startswith("ansible_"):
            self.problem(line, key, f"EVC takes no {name[:60]} from a file", "take it out")
        else:
            self.left_out.add(name)
        return None

    def _is_harmless(self, owner: str, name: str, text: str) -> bool:
        local = (name, text) == ("ansible_connection", "local") and owner in self.local
        return local or text.lower() in _HARMLESS.get(name, ())


def expand(pattern: str) -> Iterator[str]:
    """The names that `cam[01:20]` or `[a:c]-[1:9:2]` means; raises ValueError."""
    ranges, total = _RANGE.findall(pattern), 1
    names = [_names(*one) for one in ranges]
    for one in names:
        total *= len(one)
    if total > MAX_HOSTS:
        raise ValueError(f"means {total:,} hosts")
    literal = _RANGE.split(pattern)[:: _RANGE.groups + 1]
    if any(mark in part for part in literal for mark in "[]"):
        raise ValueError("is not a range: [FIRST:LAST] or [FIRST:LAST:STEP]")
    yield from _joined(literal, names)


def _joined(literal: list[str], names: list[list[str]]) -> Iterator[str]:
    if not names:
        yield literal[0]
        return
    for name in names[0]:
        for rest in _joined(literal[1:], names[1:]):
            yield literal[0] + name + rest


def _names(first: str, last: str, step: str) -> list[str]:
    """The values of one range, padded with zeros like its first."""
    if first.isalpha() != last.isalpha():
        raise ValueError(f"is not a range: [{first}:{last}]")
    if first.isalpha():
        numbers = range(ord(first), ord(last) + 1, int(step or 1) or 1)
    else:
        numbers = range(int(first or 0), int(last) + 1, int(step or 1) or 1)
    if not numbers:
        raise ValueError(f"is an empty range: [{first}:{last}]")
    if len(numbers) > MAX_HOSTS:
        raise ValueError(f"means {len(numbers):,} hosts")
    width = len(first) if first.startswith("0") else 0
    return [chr(one) if first.isalpha() else str(one).zfill(width) for one in numbers]


def resolve(tree: Tree) -> list[Raw]:
    """What the tree says of each host: its variables by Ansible's precedence, groups and role."""
    parents = _parents(tree)
    above = {group: _above(tree, group, parents) for group in tree.groups}
    for group in list(tree.groups):
        if group in above[group]:
            tree.problem(tree.groups[group].line, group, "a group inside itself")
    depths = {group: len(above[group]) for group in tree.groups}
    building = {"builder", *(group for group in tree.groups if "builder" in above[group])}
    members: dict[str, set[str]] = {host: set() for host in tree.hosts}
    for group, one in tree.groups.items():
        for host in one.hosts & members.keys():
            members[host] |= {group, *above[group]} - {"all"}
    return [_raw(tree, host, members[host], building, depths) for host in tree.hosts]


def _raw(
    tree: Tree, host: str, members: set[str], building: set[str], depths: dict[str, int]
) -> Raw:
    said: dict[str, Said] = {}
    for group in ["all", *sorted(members, key=lambda one: (depths[one], one))]:
        said |= {FIELDS[name]: one for name, one in tree.groups[group].variables.items()}
    said |= {FIELDS[name]: one for name, one in tree.hosts[host].items()}
    edge = members - building - {"ungrouped"}
    values: dict[str, Any] = {name: one.value for name, one in said.items()}
    values["groups"] = sorted(members - SECTIONS) if edge or not members & building else None
    roles = [("builder", "builder" in members or bool(members & building)), ("edge", bool(edge))]
    values["roles"] = [role for role, has in roles if has] or None
    places = {name: (one.line, one.key) for name, one in said.items()}
    for index, group in enumerate(sorted(members - SECTIONS)):
        places[f"groups.{index}"] = (tree.groups[group].line, group)
    return Raw(host, tree.lines[host], {"name": host, **values}, places)


def _parents(tree: Tree) -> dict[str, set[str]]:
    parents: dict[str, set[str]] = {}
    for name, group in tree.groups.items():
        for child in group.children:
            parents.setdefault(child, set()).add(name)
    return parents


def _above(tree: Tree, group: str, parents: dict[str, set[str]]) -> set[str]:
    """All groups that `group` is in, through other groups too."""
    found: set[str] = set()
    waiting = [group]
    while waiting:
        new = parents.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
