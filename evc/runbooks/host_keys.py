"""Pin the nodes' SSH host keys at their registration, and notice when one changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import HostKey, SshError
from evc.pure.inventory import Node
from evc.runbooks.progress import Progress

HANDSHAKES_AT_ONCE = 20


@dataclass
class Registration:
    """One node on its way: the key it showed, what it said, or what went wrong."""

    node: Node
    key: HostKey | None = None
    problem: str = ""
    warnings: list[str] = field(default_factory=list)


async def _show_keys(ways: Sequence[Registration]) -> None:
    limit = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def show(way: Registration) -> None:
        if way.node.local:
            return
        async with limit:
            try:
                way.key = await ssh.host_key(way.node.address, way.node.port)
            except SshError as error:
                way.problem = error.message

    await asyncio.gather(*[show(way) for way in ways])


def pin(fleet: Fleet, ways: Sequence[Registration], progress: Progress) -> None:
    """Pin a key seen for the first time and show it; a changed one stops that node."""
    asyncio.run(_show_keys(ways))
    pinned = _pinned(fleet.known_hosts)
    fresh = []
    for way in ways:
        if way.key is None:
            continue
        known = pinned.get(ssh.pattern(way.node.address, way.node.port))
        if known is None:
            fresh.append(way.key.line)
            progress.say(f"{way.node.name}: host key {way.key.fingerprint} pinned")
        elif known != way.key.line:
            way.problem = (
                f"its host key changed: pinned {ssh.fingerprint(known)}, now"
                f" {way.key.fingerprint}. A new machine? `evc node remove --forget"
                f" {way.node.name}` and add it again. Unexplained? Someone may be in between"
            )
    _warn_of_clones(ways)
    with fleet.known_hosts.open("a") as file:
        file.writelines(f"{line}\n" for line in fresh)


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


def _pinned(known_hosts: Path) -> dict[str, str]:
    """Host pattern → its known_hosts line."""
    text = known_hosts.read_text() if known_hosts.exists() else ""
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def unpin(fleet: Fleet, nodes: Sequence[Node]) -> None:
    gone = {ssh.pattern(node.address, node.port) for node in nodes}
    kept = [line for host, line in _pinned(fleet.known_hosts).items() if host not in gone]
    fleet.known_hosts.write_text("".join(f"{line}\n" for line in kept))
