"""What an inventory file changes in the inventory, decided before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from evc.pure import inventory, names
from evc.pure.errors import Problem
from evc.pure.inventories import Listed, Listing
from evc.pure.inventory import Node, Place

Clean = Callable[[str], str]


@dataclass(frozen=True)
class Merged:
    """The nodes of a file as they will be: `changed` ones are to be written, new ones have id 0.

    `missing` are known but not in the file; they stay.
    """

    nodes: tuple[Node, ...]
    changed: tuple[Node, ...]
    missing: tuple[str, ...]
    problems: tuple[Problem, ...]


def merge(
    listing: Listing,
    known: Sequence[Node],
    saved: Collection[str] = (),
    exact: bool = False,
    login_user: str | None = None,
) -> Merged:
    """Put a file's nodes over the known ones. What a file does not say stays as it is.

    `exact`: the file is the fleet's own, so groups and roles are those of the file, not added.
    `saved` are the names of saved selectors.
    """
    before = {node.name: node for node in known}
    nodes, problems = {}, list(listing.problems)
    for listed in listing.nodes:
        line, old = listing.lines.get(listed.name, 1), before.get(listed.name)
        if old is None and not listed.address and not _is_host(listed.name, listing):
            remedy = "give its address"
            problems.append(Problem(listing.file, line, listed.name, "no address", remedy))
        new = _merged(listed, old or _new(listed, login_user), exact or old is None)
        nodes[listed.name] = new
    others = [node for node in known if node.name not in nodes]
    found = inventory.conflicts([*others, *nodes.values()], saved)
    problems += [
        Problem(listing.file, listing.lines.get(name, 1), name, message)
        for name, message in found.items()
    ]
    return Merged(
        tuple(nodes.values()),
        tuple(node for node in nodes.values() if node != before.get(node.name)),
        tuple(sorted(before.keys() - listing.lines.keys())),
        tuple(sorted(problems, key=lambda one: one.line)),
    )


def _new(listed: Listed, login_user: str | None) -> Node:
    return Node(0, listed.name, listed.name, login_user=login_user)


def _is_host(name: str, listing: Listing) -> bool:
    """Whether a name can be the address too, as in Ansible's own files."""
    try:
        return not listing.plain_names and bool(names.address(name))
    except ValueError:
        return False


def _merged(listed: Listed, node: Node, exact: bool) -> Node:
    if node.local:
        return node
    roles: set[str] = set(listed.roles or ())
    if listed.roles is None or not exact:
        roles |= set(node.roles if node.id else ())
    return replace(
        node,
        address=listed.address or node.address,
        port=listed.port or node.port,
        login_user=listed.user or node.login_user,
        login_key=listed.key or node.login_key,
        sudo_file=listed.sudo_file or node.sudo_file,
        jump=listed.jump or node.jump,
        tunnel="" if listed.address not in (None, "", node.address) else node.tunnel,
        title=listed.title or node.title,
        builder="builder" in roles,
        edge="edge" in roles or not roles,
        groups=_groups(listed, node, exact),
        labels={**node.labels, **listed.labels},
        place=_place(listed, node.place),
    )


def _groups(listed: Listed, node: Node, exact: bool) -> tuple[str, ...]:
    if listed.groups is None:
        return node.groups
    return tuple(sorted({*listed.groups, *(() if exact else node.groups)}))


def _place(listed: Listed, before: Place | None) -> Place | None:
    said = (listed.place, listed.latitude, listed.longitude)
    if all(one is None for one in said):
        return before
    old = before or Place()
    return Place(
        listed.place or old.address,
        old.latitude if listed.latitude is None else listed.latitude,
        old.longitude if listed.longitude is None else listed.longitude,
    )
