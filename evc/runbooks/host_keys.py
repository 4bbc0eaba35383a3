"""Pin the nodes' SSH host keys at their registration, and notice when one changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKey, SshError
from evc.pure.inventory import Node
from evc.runbooks import plays
from evc.runbooks.progress import Progress

HANDSHAKES_AT_ONCE = 20


@dataclass
class Registration:
    """One node on its way: the key it showed, what it said, or what went wrong."""

    node: Node
    key: HostKey | None = None
    problem: str = ""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Keys:
    """A node's host key as it shows it now, and the fingerprint of the pinned one, or ''."""

    current: HostKey
    pinned: str
    same: bool


async def _show_keys(fleet: Fleet, ways: Sequence[Registration], pinned: Mapping[str, str]) -> None:
    limit = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def show(way: Registration) -> None:
        if way.node.local:
            return
        async with limit:
            try:
                way.key = await _key(fleet, way.node, pinned)
            except SshError as error:
                way.problem = error.message

    await asyncio.gather(*[show(way) for way in ways])


async def _key(fleet: Fleet, node: Node, pinned: Mapping[str, str]) -> HostKey:
    known = pinned.get(_pattern(node), "")
    return await ssh.host_key(node.address, node.port, plays.jump(fleet, node), known)


def pin(fleet: Fleet, ways: Sequence[Registration], progress: Progress) -> None:
    """Pin a key seen for the first time and show it; a changed one stops that node."""
    lines, fresh = _pinned(fleet.known_hosts), []
    asyncio.run(_show_keys(fleet, ways, lines))
    for way in ways:
        if way.key is None:
            continue
        known = lines.get(_pattern(way.node))
        if known is None:
            fresh.append(way.key.line)
            progress.say(f"{way.node.name}: host key {way.key.fingerprint} pinned")
        elif known != way.key.line:
            way.problem = _changed(way.node, known, way.key.fingerprint)
    _warn_of_clones(ways)
    with fleet.known_hosts.open("a") as file:
        file.writelines(f"{line}\n" for line in fresh)


def changes(fleet: Fleet, nodes: Sequence[Node]) -> dict[str, str]:
    """Node → both fingerprints and what to do, for those that show another key than the pinned.

    `nodes` are those that were refused for their key: one that shows none now counts as well.
    """
    ways = [Registration(node) for node in nodes]
    lines, found = _pinned(fleet.known_hosts), {}
    asyncio.run(_show_keys(fleet, ways, lines))
    for way in ways:
        known = lines.get(_pattern(way.node))
        if way.key is None or known != way.key.line:
            shown = way.key.fingerprint if way.key else f"not to be seen ({way.problem})"
            found[way.node.name] = _changed(way.node, known, shown)
    return found


def look(fleet: Fleet, node: Node) -> Keys:
    """A node's host key now, beside the pinned one; raises SshError when it shows none."""
    lines = _pinned(fleet.known_hosts)
    key = asyncio.run(_key(fleet, node, lines))
    return Keys(key, pinned(fleet, node), lines.get(_pattern(node)) == key.line)


def pinned(fleet: Fleet, node: Node) -> str:
    """The fingerprint that is pinned for a node, or ''."""
    known = _pinned(fleet.known_hosts).get(_pattern(node))
    return ssh.fingerprint(known) if known else ""


def repin(fleet: Fleet, key: HostKey) -> None:
    """Pin `key` in place of whatever was pinned for its host and port."""
    host = key.line.split()[0]
    _write(fleet, {**_pinned(fleet.known_hosts), host: key.line})


def move(fleet: Fleet, moves: Iterable[tuple[Node, Node]]) -> None:
    """A node keeps its pinned key at its new place: (node before, node after) for each."""
    lines = _pinned(fleet.known_hosts)
    moved = [(before, after) for before, after in moves if _pattern(before) != _pattern(after)]
    keys = {_pattern(after): lines.get(_pattern(before)) for before, after in moved}
    left = {_pattern(before) for before, _ in moved} | keys.keys()
    kept = {host: line for host, line in lines.items() if host not in left}
    news = {host: f"{host} {line.split(None, 1)[1]}" for host, line in keys.items() if line}
    _write(fleet, kept | news)


def unpin(fleet: Fleet, nodes: Sequence[Node]) -> None:
    gone = {_pattern(node) for node in nodes}
    lines = _pinned(fleet.known_hosts)
    _write(fleet, {host: line for host, line in lines.items() if host not in gone})


def _changed(node: Node, known: str | None, now: str) -> str:
    before = ssh.fingerprint(known) if known else "none"
    return (
        f"its host key changed: pinned {before}, now {now}. A new or reflashed"
        f" machine? `evc node replace {node.name}`. Only its key was renewed? `evc node trust"
        f" {node.name}`. Unexplained? Someone may be in between"
    )


def _warn_of_clones(ways: Sequence[Registration]) -> None:
    """Two machines with one host key are one image copied to two cards."""
    seen: dict[str, str] = {}
    for way in ways:
        if way.key and way.key.fingerprint in seen:
            way.warnings.append(
                f"same host key as {seen[way.key.fingerprint]} (a cloned SD card?); on it run"
                " `rm /etc/ssh/ssh_host_*; ssh-keygen -A` and restart sshd"
            )
        elif way.key:
            seen[way.key.fingerprint] = way.node.name


def _pattern(node: Node) -> str:
    return ssh.pattern(node.address, node.port)


def _pinned(known_hosts: Path) -> dict[str, str]:
    """Host pattern → its known_hosts line."""
    text = known_hosts.read_text() if known_hosts.exists() else ""
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def _write(fleet: Fleet, lines: dict[str, str]) -> None:
    fleets.write_private(fleet.known_hosts, "".join(f"{line}\n" for line in lines.values()))
