"""What a lab's containers are made from: image, network, rights, labels, the first login."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from typing import Any

from evc.doors import docker as engine
from evc.runbooks.lab.image import LOGIN_FOLDER
from evc.runbooks.lab.network import LabNetwork
from evc.runbooks.lab.nodes import LabNode

STOP_TIMEOUT_S = 20


@dataclass(frozen=True)
class LabSpec:
    """What all containers of a lab share."""

    fleet_id: str
    network: LabNetwork
    image: str
    public_key: str
    with_engine: bool
    name_servers: tuple[str, ...]

    def container(self, node: LabNode) -> str:
        """The name of a node's container, and of its volume."""
        return f"evc-{self.fleet_id}-{node.name}"

    def mark(self, node: LabNode) -> str:
        """Changes with everything that only a new container can get."""
        facts = (node.login, node.sudo, self.network.id, self.public_key, self.with_engine)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def labels(self, node: LabNode) -> dict[str, str]:
        return {
            "evc.lab": self.fleet_id,
            "evc.lab.node": node.name,
            "evc.lab.mark": self.mark(node),
        }


def options(spec: LabSpec, node: LabNode) -> dict[str, Any]:
    """The arguments that `create_container` gets for `node`; no secret is among them."""
    kind = "engine" if spec.with_engine else "no-engine"
    address = {"IPAMConfig": {"IPv4Address": node.address}}
    return {
        "image": spec.image,
        "name": spec.container(node),
        "hostname": node.name,
        "command": [node.user, str(node.port), node.sudo, kind, *spec.name_servers],
        "labels": spec.labels(node),
        "stop_timeout": STOP_TIMEOUT_S,
        "host_config": _rights(spec, node),
        "networking_config": {"EndpointsConfig": {spec.network.name: address}},
    }


def login_archive(spec: LabSpec, node: LabNode, password: str | None) -> bytes:
    """A tar of the folder that the node's first start reads and empties."""
    files = {"authorized_keys": spec.public_key}
    if password:
        files["password"] = f"{node.user}:{password}\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        folder = tarfile.TarInfo(LOGIN_FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, text in files.items():
            info = tarfile.TarInfo(f"{LOGIN_FOLDER}/{name}")
            info.size, info.mode = len(text.encode()), 0o600
            archive.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def _rights(spec: LabSpec, node: LabNode) -> dict[str, Any]:
    """What an engine inside needs, short of `--privileged`: some machines refuse that."""
    docker = [f"{spec.container(node)}:/var/lib/docker"] if spec.with_engine else []
    rights: dict[str, Any] = engine.connect().api.create_host_config(
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined", "label=disable"],
        device_cgroup_rules=["a *:* rwm"],
        cgroupns="host",
        network_mode=spec.network.name,
        tmpfs={"/run": ""},
        binds=["/sys/fs/cgroup:/sys/fs/cgroup:rw", *docker],
    )
    return {**rights, "MaskedPaths": [], "ReadonlyPaths": []}  # the CLI's systempaths=unconfined
