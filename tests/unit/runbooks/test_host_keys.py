"""Pinned host keys: moved with their node, compared by their kind, and never lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import host_keys
from evc.runbooks.init import init

A, B, C = "ssh-ed25519 AAAAa", "ssh-ed25519 AAAAb", "ssh-rsa AAAAc"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = init(tmp_path)
    made.known_hosts.write_text(f"h1 {A}\n[h2]:2222 {B}\nother {C}\n")
    return made


def pinned(fleet: Fleet) -> dict[str, str]:
    lines = fleet.known_hosts.read_text().splitlines()
    return {line.split()[0]: line.split(None, 1)[1] for line in lines}


def node(name: str, address: str, port: int = 22) -> Node:
    return Node(1, name, address, port)


def test_a_node_takes_its_key_along(fleet: Fleet) -> None:
    host_keys.move(fleet, [(node("a", "h1"), node("a", "h9", 39002))])
    assert pinned(fleet) == {"[h2]:2222": B, "other": C, "[h9]:39002": A}


def test_two_nodes_change_places(fleet: Fleet) -> None:
    one, two = node("a", "h1"), node("b", "h2", 2222)
    host_keys.move(fleet, [(one, node("a", "h2", 2222)), (two, node("b", "h1"))])
    assert pinned(fleet) == {"h1": B, "[h2]:2222": A, "other": C}


def test_a_node_that_stays_or_was_never_seen_changes_nothing(fleet: Fleet) -> None:
    before = pinned(fleet)
    host_keys.move(fleet, [(node("a", "h1"), node("a", "h1"))])
    host_keys.move(fleet, [(node("x", "h5"), node("x", "h6"))])
    assert pinned(fleet) == before


def test_a_new_place_does_not_keep_the_key_of_who_was_there(fleet: Fleet) -> None:
    host_keys.move(fleet, [(node("x", "h5"), node("x", "h1"))])
    assert "h1" not in pinned(fleet)


def test_repin_replaces_one_line(fleet: Fleet) -> None:
    host_keys.repin(fleet, ssh.HostKey(f"h1 {C}", "x"))
    assert pinned(fleet) == {"h1": C, "[h2]:2222": B, "other": C}
    assert fleet.known_hosts.stat().st_mode & 0o077 == 0


async def _shown(kinds: list[str], known: str) -> str:
    keys = {kind: asyncssh.generate_private_key(kind) for kind in kinds}
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=list(keys.values()))
    async with server:
        port = server.sockets[0].getsockname()[1]
        return (await ssh.host_key("127.0.0.1", port, known=known)).line.split()[1]


@pytest.mark.parametrize(
    ("kinds", "known", "shown"),
    [
        (["ssh-rsa", "ssh-ed25519"], "", "ssh-ed25519"),
        (["ssh-rsa", "ssh-ed25519"], "h ssh-rsa AAAA", "ssh-rsa"),
        (["ssh-rsa", "ecdsa-sha2-nistp256"], "h ssh-ed25519 AAAA", "ecdsa-sha2-nistp256"),
    ],
)
def test_the_kind_that_is_pinned_is_asked_for(kinds: list[str], known: str, shown: str) -> None:
    """A host has several keys; another of them is no changed key."""
    assert asyncio.run(_shown(kinds, known)) == shown


def test_a_refused_node_that_shows_no_key_now_has_changed_as_well(fleet: Fleet) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
    fleet.known_hosts.write_text(f"[127.0.0.1]:1 {key.export_public_key().decode()}")
    changes = host_keys.changes(fleet, [node("a", "127.0.0.1", 1)])
    for words in (key.get_fingerprint(), "not to be seen", "Errno 111", "node replace a"):
        assert words in changes["a"]
