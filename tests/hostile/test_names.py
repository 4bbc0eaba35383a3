"""Hosts, users, ports and names that are meant for a shell, for SSH or for another machine."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import asyncssh
import pytest

from evc.cli.progress import shown
from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.pure import schema
from evc.pure.config import ProjectConfig, ServerConfig
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.runbooks import host_keys, nodes
from evc.runbooks.host_keys import Registration
from tests.hostile.controller import CONFIG, Controller, settled

ADDRESSES = ["-oProxyCommand=touch x", "-l", "`touch x`", "$(touch x)", "h;touch x", "h touch",
             "h\n", "h\0", "user@h", "[::1]", "a:b", "fe80::1%lo", "h#x", "h'", "호스트",
             "x" * 254]  # fmt: skip
USERS = ["-lroot", "root\x07", "root\n", "a b", "a;id", "$(id)", "root@h", "{{ x }}", "x" * 33]
LABELS = ["site=a\nb", "si\nte=a\nb", "site=a\rb", "site=a\x85b", "site=a\u2028b", "site=\0"]
PORTS = ["0", "65536", "22 ", " 22", "+22", "-22", "2_2", "0x16", "22;id", "٢٢", "1" * 40]


@pytest.mark.parametrize("address", ADDRESSES, ids=repr)
def test_an_address_is_no_option_and_no_command(controller: Controller, address: str) -> None:
    refused(controller, "node", "add", "--", "cam", address)
    in_files(f"ip: {quoted(address)}", "ip")


@pytest.mark.parametrize("user", USERS, ids=repr)
def test_a_user_is_an_account(controller: Controller, user: str) -> None:
    refused(controller, "node", "add", "cam", "127.0.0.1", f"--user={user}")
    in_files(f"ip: h, user: {quoted(user)}", "user")


@pytest.mark.parametrize("label", LABELS, ids=repr)
def test_a_label_is_one_line(controller: Controller, label: str) -> None:
    """Of a node, and of an image: that one carries the model's name and version."""
    refused(controller, "node", "add", "cam", "127.0.0.1", f"--label={label}")
    key, _, value = label.partition("=")
    table = Path("nodes.csv")
    table.write_text(f'name,address,labels\ncam,127.0.0.1,"{key}={value}"\n')
    code, said = controller.evc("node", "import", str(table))
    assert (code, controller.nodes(), settled(controller.network)) == (2, [], 0), said
    table.unlink()
    for text in (
        CONFIG.replace("eye", quoted(value)),
        CONFIG.replace("1.10", quoted(value)),
    ):
        with pytest.raises(BadInput):
            schema.read(text, "f", ProjectConfig)


@pytest.mark.parametrize("port", PORTS, ids=repr)
def test_a_port_is_a_number_in_range(controller: Controller, port: str) -> None:
    refused(controller, "node", "add", "cam", "127.0.0.1", f"--port={port}")
    in_files(f"ip: h, port: {quoted(port)}", "port")


def refused(controller: Controller, *words: str) -> None:
    code, said = controller.evc(*words)
    assert (code, settled(controller.network)) == (2, 0), said
    assert controller.nodes() == [] and not Path("x").exists()
    assert said.replace("\n", "").isprintable()


def quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar."""
    return '"' + "".join(rf"\U{ord(letter):08x}" for letter in text) + '"'


def in_files(machine: str, key: str) -> None:
    """Both files refuse the machine, at its key."""
    for text, kind, path in (
        (f"builder:\n - {{name: m, {machine}}}\n", ServerConfig, f"builder.0.{key}"),
        (f"{CONFIG}target: {{g: [{{name: m, {machine}}}]}}\n", ProjectConfig, f"target.g.0.{key}"),
    ):
        with pytest.raises(BadInput, match=path):
            schema.read(text, "f", kind)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node(0, "other", "192.0.2.1", 22), "192.0.2.1:22 is the node cam already"),
        (Node(0, "cam", "192.0.2.2", 22), "there is a node cam already"),
        (Node(0, "lab", "192.0.2.2", 22), "name of a group"),
        (Node(0, "new", "192.0.2.2", 22, groups=("cam",)), "name of a group"),
        (Node(0, "self", "192.0.2.2", 22, groups=("self",)), "name of a group"),
    ],
)
def test_one_name_one_place(controller: Controller, node: Node, said: str) -> None:
    with store.opened(controller.fleet.database, share() / "db") as opened:
        nodes.insert(opened, Node(0, "cam", "192.0.2.1", 22, groups=("lab",)))
        nodes.insert(opened, Node(0, "forwarded", "192.0.2.1", 2222))
        with pytest.raises(BadInput, match=said):
            nodes.insert(opened, node)
    assert controller.nodes() == ["cam", "forwarded"]


async def _two_machines(
    fleet: Fleet, keys: list[asyncssh.SSHKey], ways: list[Registration]
) -> None:
    for way, key in zip(ways, keys, strict=True):
        server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key])
        port = server.sockets[0].getsockname()[1]
        way.node = Node(0, way.node.name, "127.0.0.1", port)
    await host_keys._show_keys(fleet, ways, {})


@pytest.mark.parametrize("same", [True, False])
def test_two_machines_with_one_host_key_are_noticed(tmp_path: Path, same: bool) -> None:
    """An SD card that was copied: whoever holds one machine can pose as the other."""
    first = asyncssh.generate_private_key("ssh-ed25519")
    second = first if same else asyncssh.generate_private_key("ssh-ed25519")
    ways = [Registration(Node(0, name, "")) for name in ("cam01", "cam02")]
    asyncio.run(_two_machines(Fleet(tmp_path), [first, second], ways))
    host_keys._warn_of_clones(ways)
    assert ways[0].warnings == []
    assert ["cam01" in one and "ssh-keygen" in one for one in ways[1].warnings] == [True] * same


def test_what_is_pinned_stays_private(controller: Controller) -> None:
    with shown() as progress:
        host_keys.pin(controller.fleet, [], progress)
    assert stat.S_IMODE(controller.fleet.certs.stat().st_mode) == 0o700
