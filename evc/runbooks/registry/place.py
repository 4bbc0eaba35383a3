"""Where the fleet's registry listens: the address that nodes use, and this machine's own for it.

The choice is kept in `certs/registry/address`, so that it stays when lab, network or config around
it change, until the machine itself has moved.
"""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

import psutil

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure import names, references
from evc.pure.errors import BadInput, EvcError
from evc.pure.references import HostPort
from evc.runbooks import lab

PORT = 5443
LOOPBACK = "127.0.0.1"
ANYWHERE = ("198.51.100.1", 9)  # TEST-NET-2 (RFC 5737): never contacted, only routed to


def folder(fleet: Fleet) -> Path:
    """All that the registry needs beside its storage; private."""
    return fleets.private_folder(fleet.certs / "registry")


def give(fleet: Fleet, inside: str, name: str, text: str) -> None:
    """Write a private file that the account which owns the storage, and so the container, reads."""
    path = fleets.private_folder(folder(fleet) / inside)
    if (path / name).exists() and (path / name).read_text() == text:
        return
    fleets.write_private(path / name, text)
    for one in (path, path / name):
        fleets.owned_like(one, fleet.registry_data)


def kept(fleet: Fleet) -> HostPort | None:
    """The address that an earlier `up` chose, or None."""
    file = folder(fleet) / "address"
    return references.host_port(file.read_text().strip()) if file.exists() else None


def keep(fleet: Fleet, address: HostPort) -> None:
    """Remember `address`."""
    fleets.replace(folder(fleet) / "address", f"{address}\n")


def give_up(fleet: Fleet) -> None:
    """Forget the address that was kept."""
    (folder(fleet) / "address").unlink(missing_ok=True)


def decide(fleet: Fleet) -> HostPort:
    """The configured address, else the kept one, else a new choice; raises BadInput."""
    paths, before = fleet.config().path, kept(fleet)
    if paths.registry and not paths.dockerhub and references.is_host_port(paths.registry):
        return _with_room_for_reader(references.host_port(paths.registry))
    if before and before.host in own_addresses():
        return before
    host = default_host(fleet)
    return HostPort(host, before.port if before else _free_port(host))


def reader(address: HostPort) -> HostPort:
    """Nodes pull one port above the one that is pushed to."""
    return HostPort(address.host, address.port + 1)


def published_on(address: HostPort) -> list[str]:
    """This machine's addresses to publish on: the one that `address` names, and loopback.

    A name that leads elsewhere is one that is forwarded to this machine: then its default address.
    """
    own = own_addresses()
    if address.host in own:
        return list(dict.fromkeys([address.host, LOOPBACK]))
    if address.host.replace(".", "").isdigit():
        text = f"{address.host} (`path: registry:`) is not an address of this machine"
        raise BadInput(text, f"use one of {', '.join(sorted(own))}, or a name")
    resolved = [found for found in _resolve(address.host) if found in own]
    return list(dict.fromkeys([*(resolved[:1] or [route_source()]), LOOPBACK]))


def default_host(fleet: Fleet) -> str:
    """The lab's gateway when there is a lab, else this machine's address."""
    return lab.gateway(fleet) or route_source()


def route_source() -> str:
    """The address this machine would send from to anywhere else; sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ANYWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return LOOPBACK


def own_addresses() -> set[str]:
    """Every IPv4 address of this machine."""
    found = psutil.net_if_addrs().values()
    return {entry.address for group in found for entry in group if entry.family == socket.AF_INET}


def own_names() -> set[str]:
    """This machine's name and addresses, as far as a certificate can hold them."""
    found = {"localhost", LOOPBACK, *own_addresses()}
    with contextlib.suppress(ValueError):
        found.add(names.address(socket.gethostname()))
    return found


def _free_port(host: str) -> int:
    """5443, or any port, that is free together with the next one."""
    for port in (PORT, *random.sample(range(20_000, 32_000), 100)):
        if all(_free(each, port + more) for each in (host, LOOPBACK) for more in (0, 1)):
            return port
    raise EvcError("no two free ports for the registry", "set `path: registry: HOST:PORT`")


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return True
        except OSError:
            return False


def _resolve(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in found]


def _with_room_for_reader(address: HostPort) -> HostPort:
    if address.port == 65535:
        text = f"{address}: nodes pull from the next port, and there is none"
        raise BadInput(text, "choose a lower port in `path: registry:`")
    return address
