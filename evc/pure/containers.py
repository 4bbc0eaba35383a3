"""The container a release runs in: Docker's create request, hardened unless a project loosens it.

Format: https://docs.docker.com/reference/api/engine/ (ContainerCreate).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evc.pure.config import ProjectConfig, Serve

OWNER = 10001
USER = f"{OWNER}:{OWNER}"
# With `root: true`: other accounts' files and other accounts, so that sudo, chown and apt work.
ROOT_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
# A root file system that is read-only, and no telemetry of the runtimes inside.
ENVIRONMENT = {
    "HOME": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


@dataclass(frozen=True)
class Volume:
    """A named volume of the node's engine: files of settings, or a cache that stays."""

    name: str
    kind: Literal["settings", "cache"]
    target: str
    owner: int


@dataclass(frozen=True)
class Given:
    """What one node adds to a release's container."""

    variables: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[Volume] = ()
    host: Mapping[str, Any] = field(default_factory=dict)


NOTHING = Given()


def config(project: ProjectConfig, given: Given = NOTHING) -> dict[str, Any]:
    """The create request, published as the project says, without image and labels."""
    serve = project.serve
    variables = {**ENVIRONMENT, **given.variables}
    request: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "HostConfig": {**_host_config(project), **_mounts(given.volumes), **given.host},
    }
    if serve.command:
        request["Cmd"] = serve.command
        request["Entrypoint"] = []
    if serve.workdir:
        request["WorkingDir"] = serve.workdir
    if not serve.root:
        request["User"] = USER
    if serve.port:
        request["ExposedPorts"] = {f"{serve.port}/tcp": {}}
    return request


def _host_config(project: ProjectConfig) -> dict[str, Any]:
    """`docker run`'s flags. `--pull=never` needs none: the engine's API never pulls by itself.

    Without `cpus` there is no limit: the kernel shares fairly with sshd, the agent and other
    models, and a quota would slow a model that is alone on its machine.
    """
    serve, resources = project.serve, project.resources
    return {
        "Init": True,
        "ReadonlyRootfs": not serve.writable,
        "Tmpfs": {"/tmp": "rw,nosuid,nodev,size=256m"},
        "CapDrop": ["ALL"],
        "CapAdd": ROOT_CAPABILITIES if serve.root else [],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": resources.pids,
        "Memory": size_bytes(resources.memory),
        "NanoCpus": int((resources.cpus or 0) * 1e9),
        "LogConfig": {"Type": "local", "Config": {"max-size": "10m", "max-file": "3"}},
        "PortBindings": _ports(serve),
        "RestartPolicy": {"Name": "no"},
    }


def owner(serve: Serve) -> int:
    """The account that the container runs as, and that its files belong to."""
    return 0 if serve.root else OWNER


def _mounts(volumes: Sequence[Volume]) -> dict[str, Any]:
    """NoCopy: what the image has at that place must not get into the volume."""
    mounts = [
        {
            "Type": "volume",
            "Source": one.name,
            "Target": one.target,
            "ReadOnly": one.kind == "settings",
            "VolumeOptions": {"NoCopy": True},
        }
        for one in volumes
    ]
    return {"Mounts": mounts} if mounts else {}


def _ports(serve: Serve) -> dict[str, Any]:
    if not serve.port:
        return {}
    return {f"{serve.port}/tcp": [{"HostIp": serve.listen, "HostPort": str(serve.published)}]}


def unpublished(request: dict[str, Any]) -> dict[str, Any]:
    """The same container without published ports, for a test beside others."""
    return {**request, "HostConfig": {**request["HostConfig"], "PortBindings": {}}}


def health(serve: Serve, frames: bool = True) -> dict[str, Any]:
    """How to see that it is well; see `evc_node/health.py`. A builder has no camera (`frames`)."""
    check: dict[str, Any] = {"start_period": serve.start_period}
    if serve.health_command:
        check["command"] = serve.health_command
    if serve.port:
        host = "127.0.0.1" if serve.listen == "0.0.0.0" else serve.listen
        check |= {"host": host, "port": serve.published}
        if serve.health:
            check["http"] = serve.health
    if frames and serve.max_frame_age and serve.health:
        check["max_frame_age"] = serve.max_frame_age
    return check


def spec(request: dict[str, Any], check: dict[str, Any], digest: str) -> str:
    """A hash of what runs and how; the registry's address has no part in it."""
    value = {"request": request, "image": digest, "health": check}
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def size_bytes(text: str) -> int:
    """`512M` as bytes."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not match:
        raise ValueError(f"{text!r} is not a size")
    return int(match.group(1)) * _UNITS[match.group(2)]
