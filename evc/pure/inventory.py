"""Nodes as values, and the `hosts.ini` that is rendered from them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evc.pure.selectors import Selectable

HEADER = "# Rendered by EVC from its database. Change nodes with `evc node`, not here. sha256="


@dataclass(frozen=True)
class Place:
    """Where a machine stands: what people call it, and degrees north and east."""

    address: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Node:
    """One machine of the inventory."""

    id: int
    name: str
    address: str
    port: int = 22
    login_user: str | None = None
    login_key: str | None = None
    sudo_file: str | None = None
    builder: bool = False
    edge: bool = True
    local: bool = False
    registered: bool = False
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    title: str = ""
    jump: str = ""
    metered: bool = False
    place: Place | None = None
    tunnel: str = ""  # HOST:PORT of the rendezvous that it keeps a tunnel to
    revoked: bool = False

    @property
    def dialled(self) -> str:
        """The address at which others than EVC reach it, or '' when nobody can."""
        return "" if self.tunnel else self.address

    @property
    def unusable(self) -> str:
        """Why no command uses it, or ''."""
        if self.revoked:
            return (
                "revoked: `evc node add` or `evc node enroll` brings it back,"
                f" `evc node remove {self.name} --forget` takes it out"
            )
        return "" if self.registered else "not registered yet"

    @property
    def roles(self) -> list[str]:
        return [name for name, has in (("builder", self.builder), ("edge", self.edge)) if has]

    @property
    def architecture(self) -> str:
        """The kernel's machine name from the last probe, or ''."""
        return str(self.facts.get("architecture") or "")

    @property
    def selectable(self) -> Selectable:
        return Selectable(self.name, frozenset(self.groups), self.labels, self.facts)


def conflicts(nodes: Sequence[Node], saved: Collection[str] = ()) -> dict[str, str]:
    """Node → what is in its way: another node at its place, or a group by its name.

    `saved` are the names of saved selectors, which are groups too.
    """
    problems: dict[str, str] = {}
    places: dict[tuple[str, int], str] = {}
    groups = {*saved, *(group for node in nodes for group in node.groups)}
    for node in nodes:
        place = (node.address.lower(), node.port)
        if (other := places.setdefault(place, node.name)) != node.name:
            where = "this machine" if node.local else f"{node.address}:{node.port}"
            problems[node.name] = f"{where} is the node {other} already"
        if both := sorted({*saved} & {*node.groups}):
            problems[node.name] = f"{both[0]} is a saved selector, which nobody joins"
        if node.name in groups:
            problems[node.name] = f"{node.name} would be the name of a group and of a node"
    return problems


def render(nodes: Sequence[Node]) -> str:
    """The inventory as Ansible INI, its first line a hash of the rest."""
    sections = [_section("builder", [node for node in nodes if node.builder])]
    edges = [node for node in nodes if node.edge]
    groups = sorted({group for node in edges for group in node.groups})
    loose = [node for node in edges if not node.groups]
    sections.append("\n".join(["[user:children]", *groups]))
    if loose:
        sections.append(_section("user", loose))
    for group in groups:
        sections.append(_section(group, [node for node in edges if group in node.groups]))
    body = "\n\n".join(sections) + "\n"
    return f"{HEADER}{_digest(body)}\n{body}"


def edited_by_hand(text: str) -> bool:
    """Whether `text` is something other than what `render` made."""
    first, _, body = text.partition("\n")
    return bool(text.strip()) and first != f"{HEADER}{_digest(body)}"


def _section(name: str, nodes: Sequence[Node]) -> str:
    lines = [
        f"{node.name} ansible_connection=local"
        if node.local
        else f"{node.name} ansible_host={node.address} ansible_port={node.port}"
        for node in nodes
    ]
    return "\n".join([f"[{name}]", *lines])


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
