"""How a person logs in to a lab's nodes: one key, a sudo password per node that asks for one.

The key is a person's, not EVC's own: registration has to work with it as on any machine.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization as keys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.runbooks.lab.nodes import LabNode


def folder(fleet: Fleet) -> Path:
    """Where the lab's logins are; 0700."""
    return fleet.certs / "lab"


def key_file(fleet: Fleet) -> Path:
    return folder(fleet) / "id_ed25519"


def sudo_file(fleet: Fleet, node: LabNode) -> Path | None:
    """The file with the sudo password of `node`; None when its sudo asks for none."""
    return folder(fleet) / f"{node.name}.sudo" if node.sudo == "password" else None


def public_key(fleet: Fleet) -> str:
    """The line for `authorized_keys`; the key is made when it is not there."""
    file = key_file(fleet)
    if not file.exists():
        folder(fleet).mkdir(mode=0o700, exist_ok=True)
        form = (keys.Encoding.PEM, keys.PrivateFormat.OpenSSH, keys.NoEncryption())
        fleets.write_private(file, Ed25519PrivateKey.generate().private_bytes(*form).decode())
    private = keys.load_ssh_private_key(fleets.read_private(file).encode(), None)
    line = private.public_key().public_bytes(keys.Encoding.OpenSSH, keys.PublicFormat.OpenSSH)
    return f"{line.decode()} evc-lab\n"


def new_password(fleet: Fleet, node: LabNode) -> str | None:
    """A new sudo password for `node`, kept in its file; None when its sudo asks for none."""
    file = sudo_file(fleet, node)
    if not file:
        return None
    password = secrets.token_urlsafe(18)
    fleets.write_private(file, password + "\n")
    return password


def forget_host_keys(fleet: Fleet, nodes: Iterable[LabNode]) -> None:
    """Drop the pins of `nodes`: a new container has new host keys at the same address."""
    if not fleet.known_hosts.exists():
        return
    gone = {name for node in nodes for name in _pinned_names(node)}
    lines = fleet.known_hosts.read_text().splitlines(keepends=True)
    left = [line for line in lines if not gone & set(line.partition(" ")[0].split(","))]
    if left != lines:
        fleets.write_private(fleet.known_hosts, "".join(left))


def remove(fleet: Fleet) -> None:
    """Remove the key and all passwords."""
    shutil.rmtree(folder(fleet), ignore_errors=True)


def _pinned_names(node: LabNode) -> set[str]:
    hosts = (node.name, node.address)
    return {*hosts, *(f"[{host}]:{node.port}" for host in hosts)}
