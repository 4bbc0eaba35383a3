"""A node whose address is an alias of ~/.ssh/config: its key is pinned by that, whatever it is."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import asyncssh
import pytest

from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import host_keys, plays
from evc.runbooks.host_keys import Registration
from evc.runbooks.init import init

CONFIG = "Host door\n  HostName 127.0.0.1\n"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text(CONFIG)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = init(tmp_path / "fleet")
    ssh.ensure_key(made.ssh_key, "test")
    return made


async def _said(fleet: Fleet) -> tuple[str, str]:
    """What a server answers to EVC's own connection, and to OpenSSH as Ansible starts it."""

    async def program(process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write("well\n")
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    allowed = str(fleet.ssh_key.with_suffix(".pub"))
    async with await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], authorized_client_keys=allowed,
        process_factory=program,
    ) as server:  # fmt: skip
        node = Node(1, "cam", "door", server.sockets[0].getsockname()[1])
        way = Registration(node)
        await host_keys._show_keys(fleet, [way], {})
        assert way.key is not None, way.problem
        fleet.known_hosts.write_text(f"{way.key.line}\n")
        own = [line async for line in ssh.lines(plays.target(fleet, node), ["x"])]
        return "".join(own), await _openssh(fleet, node)


async def _openssh(fleet: Fleet, node: Node) -> str:
    options = shlex.split(plays._own(fleet, node)["ansible_ssh_common_args"])
    words = ["-F", str(Path.home() / ".ssh" / "config"), "-i", str(fleet.login_key)]
    words += ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-p", str(node.port)]
    words += ["-o", f"UserKnownHostsFile={fleet.known_hosts}", *options]
    process = await asyncio.create_subprocess_exec(
        "ssh", *words, f"{plays.USER}@{node.address}", "x", stdout=-1, stderr=-2
    )
    return (await process.communicate())[0].decode().strip()


def test_both_ways_to_a_node_know_its_key(fleet: Fleet) -> None:
    assert asyncio.run(_said(fleet)) == ("well", "well")
