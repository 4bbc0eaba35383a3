"""Plays on nodes of a fleet: whom to log in as, and files that carry what must stay private."""

from __future__ import annotations

import io
import json
import shlex
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evc.doors import ansible, ssh
from evc.doors import fleet as fleets
from evc.doors.ansible import Connection, OnTask, Result, folders
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import generations

HOME = "/var/lib/evc"
USER = "evc"
TUNNEL_USER = "evc-tunnel"  # on a rendezvous
PYTHON = "python3"  # the first on PATH: /usr/local/bin may have a newer one than the system's
# How long a node's program may take for what it does at once: looking around, beginning a job.
PATIENCE_SECONDS = 90
_EPOCH = (1980, 1, 1, 0, 0, 0)


def play(
    fleet: Fleet,
    name: str,
    nodes: Sequence[Node],
    variables: Mapping[str, Any] | None = None,
    each: Mapping[str, Mapping[str, Any]] | None = None,
    orders: Mapping[str, Any] | None = None,
    as_login: bool = False,
    known_hosts: Path | None = None,
    on_task: OnTask = lambda host, task: None,
) -> dict[str, Result]:
    """Run a playbook on `nodes` as EVC's user, or (`as_login`) as the person who registers.

    `each` are variables by node; `orders` are values by node that travel as JSON in private files;
    `known_hosts` is for hosts that are no nodes.
    """
    generations.refuse(fleet)
    connection = Connection(known_hosts or fleet.known_hosts, fleet.sockets)
    with folders.private() as folder:
        hosts = {}
        for node in nodes:
            host = _login(fleet, node) if as_login else _own(fleet, node)
            host |= {"evc_home": home(fleet, node), **(each or {}).get(node.name, {})}
            if orders and node.name in orders:
                file = folder / node.name
                fleets.write_private(file, json.dumps(orders[node.name]))
                host["evc_order_file"] = ansible.script(file)
            hosts[node.name] = host
        playbook = fleets.share() / "playbooks" / f"{name}.yaml"
        shared = {"evc_patience": PATIENCE_SECONDS, **(variables or {})}
        return ansible.play(playbook, hosts, shared, connection, on_task)


def home(fleet: Fleet, node: Node) -> str:
    """Where EVC keeps its things on a node; on the controller that is in the fleet folder."""
    return str(fleet.database.parent / "node") if node.local else HOME


def command(fleet: Fleet, node: Node, *words: str) -> list[str]:
    """The argv of EVC's program on a node."""
    place = home(fleet, node)
    return ["env", f"EVC_NODE_HOME={place}", "python3", f"{place}/evc_node.pyz", *words]


def agent(fleet: Fleet, node: Node, *words: str) -> list[str]:
    """The argv of EVC's agent on a node."""
    place = home(fleet, node)
    return ["env", f"EVC_NODE_HOME={place}", "python3", f"{place}/evc_agent.py", *words]


def target(fleet: Fleet, node: Node) -> ssh.Target:
    """Where and as whom EVC's own SSH connections go; raises BadInput when they must not."""
    generations.refuse(fleet)
    key, known_hosts = fleet.login_key, fleet.known_hosts
    way = jump(fleet, node)
    return ssh.Target(node.name, node.address, node.port, USER, key, known_hosts, way)


def jump(fleet: Fleet, node: Node) -> ssh.Jump:
    """The host that leads to a node: its rendezvous, or the jump host that somebody named."""
    return rendezvous(fleet, node.tunnel) if node.tunnel else node.jump


def rendezvous(fleet: Fleet, place: str) -> ssh.Target:
    """A rendezvous (HOST:PORT) as EVC's own key reaches it."""
    host, _, port = place.rpartition(":")
    key, known_hosts = fleet.login_key, fleet.rendezvous_hosts
    return ssh.Target(place, host, int(port), TUNNEL_USER, key, known_hosts)


def forget_connections(fleet: Fleet) -> None:
    """No play goes through a connection that OpenSSH kept open; those in use end by themselves."""
    for socket in fleet.sockets.iterdir():
        socket.unlink(missing_ok=True)


def program(fleet: Fleet) -> Path:
    """EVC's program for nodes as one zip, the same bytes for the same sources."""
    folder, file = fleets.share() / "playbooks" / "files" / "evc_node", io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted(folder.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(source.name, _EPOCH), source.read_bytes())
    path = fleet.database.parent / "evc_node.pyz"
    if not path.exists() or path.read_bytes() != file.getvalue():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.getvalue())
    return path


def _own(fleet: Fleet, node: Node) -> dict[str, Any]:
    if node.local:
        return {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {
        **_place(fleet, node),
        "ansible_user": USER,
        "ansible_ssh_private_key_file": str(fleet.login_key),
    }


def _place(fleet: Fleet, node: Node) -> dict[str, Any]:
    host = {
        "ansible_host": node.address,
        "ansible_port": node.port,
        "ansible_python_interpreter": PYTHON,
    }
    # Keys are pinned by the address that was given, which may be an alias of ~/.ssh/config.
    options = f"-o HostKeyAlias={ssh.pattern(node.address, node.port)}"
    if words := _proxy(jump(fleet, node)):
        options += f' -o ProxyCommand="{shlex.join(words)}"'
    return {**host, "ansible_ssh_common_args": options}


def _proxy(way: ssh.Jump) -> list[str]:
    """The argv that connects to a node behind a jump host, or nothing.

    Not `ProxyJump`: that one would ask on the terminal about a jump host it does not know.
    """
    if not way:
        return []
    words = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    if isinstance(way, ssh.Target):
        words += ["-o", f"UserKnownHostsFile={way.known_hosts}", "-o", "IdentitiesOnly=yes"]
        words += ["-i", str(way.key), "-o", "ServerAliveInterval=5", "-o", "ConnectTimeout=10"]
        return [*words, "-p", str(way.port), "-W", "[%h]:%p", f"{way.user}@{way.address}"]
    user_and_host, _, port = way.partition(":")
    return [*words, "-p", port or "22", "-W", "[%h]:%p", user_and_host]


def _login(fleet: Fleet, node: Node) -> dict[str, Any]:
    host = _place(fleet, node)
    if node.login_user:
        host["ansible_user"] = node.login_user
    if node.login_key:
        host["ansible_ssh_private_key_file"] = node.login_key
    if node.sudo_file:
        # The password itself stays in its 0600 file until Ansible types it.
        host["evc_sudo_file"] = node.sudo_file
        host["ansible_become_password"] = "{{ lookup('ansible.builtin.file', evc_sudo_file) }}"
    return host
