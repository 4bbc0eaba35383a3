"""A lab's own Docker network: a free subnet, so that each node keeps one address for good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from evc.doors import docker as engine
from evc.pure.errors import EvcError

ROUTES = Path("/proc/net/route")
# With systemd-resolved, only the second names servers that a container can ask.
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
POOLS = (IPv4Network("172.30.0.0/15"), IPv4Network("10.192.0.0/12"))


@dataclass(frozen=True)
class LabNetwork:
    """The network of a lab; `gateway` is this machine's address on it."""

    id: str
    name: str
    subnet: IPv4Network
    gateway: str


def find(fleet_id: str) -> LabNetwork | None:
    """The network of this fleet's lab, or None when there is no lab."""
    found = engine.connect().networks.list(filters={"label": f"evc.lab={fleet_id}"})
    return _read(found[0].attrs) if found else None


def make(fleet_id: str) -> LabNetwork:
    """The network of this fleet's lab, made on a free subnet when it is not there."""
    if there := find(fleet_id):
        return there
    client = engine.connect()
    used = [pool for network in client.networks.list() for pool in _subnets(network.attrs)]
    taken = [*used, *_routes(), *map(IPv4Network, name_servers())]
    subnet = free_subnet(taken, int(fleet_id, 16))
    pool = {"Subnet": str(subnet), "Gateway": str(subnet[1])}
    ipam: Any = {"Driver": "default", "Config": [pool]}
    made = client.api.create_network(
        f"evc-lab-{fleet_id}",
        driver="bridge",
        ipam=ipam,
        labels={"evc.lab": fleet_id},
    )
    return _read(client.networks.get(made["Id"]).attrs)


def remove(fleet_id: str) -> bool:
    """Remove this fleet's lab network; False when there was none."""
    found = engine.connect().networks.list(filters={"label": f"evc.lab={fleet_id}"})
    for network in found:
        network.remove()
    return bool(found)


def free_subnet(taken: Iterable[IPv4Network], seed: int) -> IPv4Network:
    """A /24 that overlaps nothing in `taken`, the same for the same `seed`; raises EvcError."""
    busy = list(taken)
    for subnet in _candidates(seed):
        if not any(subnet.overlaps(other) for other in busy):
            return subnet
    raise EvcError("no free subnet for a lab", "remove Docker networks that nothing uses")


def parse_routes(text: str) -> list[IPv4Network]:
    """The destinations of `/proc/net/route` (proc_pid_net(5)) but the default route."""
    rows = [line.split() for line in text.splitlines()[1:]]
    found = [(_little_endian(row[1]), _little_endian(row[7])) for row in rows if len(row) > 7]
    return [IPv4Network(f"{to}/{mask}", strict=False) for to, mask in found if int(mask)]


def parse_name_servers(text: str) -> list[str]:
    """The IPv4 name servers of a resolv.conf(5) that do not live on a loopback."""
    found = re.findall(r"^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$", text, re.MULTILINE)
    return [server for server in found if not IPv4Address(server).is_loopback]


def name_servers() -> list[str]:
    """The name servers of this machine that a container can ask."""
    found = (parse_name_servers(file.read_text()) for file in RESOLVERS if file.exists())
    return next((servers for servers in found if servers), [])


def _candidates(seed: int) -> Iterator[IPv4Network]:
    for pool in POOLS:
        count = 2 ** (24 - pool.prefixlen)
        for step in range(count):
            yield IPv4Network((int(pool[0]) + (seed + step) % count * 256, 24))


def _routes() -> list[IPv4Network]:
    return parse_routes(ROUTES.read_text()) if ROUTES.exists() else []


def _little_endian(digits: str) -> IPv4Address:
    return IPv4Address(int.from_bytes(bytes.fromhex(digits), "little"))


def _read(attrs: dict[str, Any]) -> LabNetwork:
    pool = attrs["IPAM"]["Config"][0]
    return LabNetwork(attrs["Id"], attrs["Name"], IPv4Network(pool["Subnet"]), pool["Gateway"])


def _subnets(attrs: dict[str, Any]) -> list[IPv4Network]:
    pools = (attrs.get("IPAM") or {}).get("Config") or []
    return [IPv4Network(pool["Subnet"]) for pool in pools if ":" not in pool.get("Subnet", ":")]
