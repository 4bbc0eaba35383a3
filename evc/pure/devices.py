"""Devices of a node that a container gets: its GPU by the right flag, its camera, what is named.

GPU flags: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit (`--gpus`; on a Jetson
`--runtime nvidia`). A device's group is added, since the container's account is in none.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from evc.pure.config import Serve
from evc.pure.errors import BadInput

CAMERA = "CAMERA"  # the setting, variable or secret, that says where frames come from
_STREAMS = ("rtsp://", "rtsps://", "http://", "https://")
_NVIDIA = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "all"}
# What a camera on a ribbon cable needs: on a Jetson its daemon, on a Pi the kernel's media devices.
_ARGUS = "/tmp/argus_socket"
_PI_CSI = ("/dev/video*", "/dev/media*", "/dev/dma_heap/*", "/dev/vchiq")


@dataclass(frozen=True)
class Devices:
    """More of a container's HostConfig, and of its environment."""

    host: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def given(serve: Serve, facts: Mapping[str, Any], camera: str) -> Devices:
    """What a container gets on a node with these facts; `camera` is the setting's value, or ''.

    Raises BadInput for what the node does not have.
    """
    found: Mapping[str, int] = facts.get("devices") or {}
    host, variables = _gpu(facts) if serve.gpu else ({}, {})
    paths = {*serve.devices}
    if serve.mode == "camera":
        paths |= _camera(camera, found, facts)
        if camera.startswith("csi") and facts.get("l4t"):
            host |= {"Runtime": "nvidia", "Binds": [f"{_ARGUS}:{_ARGUS}"]}
    if missing := sorted(paths - {*found}):
        raise BadInput(
            f"{missing[0]} is not there", "plug it in, then `evc node add NAME` looks again"
        )
    if paths:
        host |= _passed(paths, found)
    return Devices(host, variables)


def _gpu(facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    toolkit = "nvidia" in (facts.get("docker_runtimes") or [])
    if facts.get("l4t"):
        if not toolkit:
            raise BadInput("Docker there has no NVIDIA runtime", "install nvidia-container-toolkit")
        return {"Runtime": "nvidia"}, dict(_NVIDIA)
    if not facts.get("gpu"):
        raise BadInput("no GPU is known there", "--on 'gpu and …' selects the nodes that have one")
    if not toolkit:
        remedy = "install nvidia-container-toolkit, then `nvidia-ctk runtime configure`"
        raise BadInput("Docker there cannot give its GPU to containers", remedy)
    return {"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]}, {}


def _camera(value: str, found: Collection[str], facts: Mapping[str, Any]) -> set[str]:
    """The device files that a camera needs; none for a stream."""
    if value.startswith(_STREAMS):
        return set()
    if value.startswith("/dev/"):
        return {value}
    if value.startswith("csi"):
        patterns = () if facts.get("l4t") else _PI_CSI
        return {path for path in found for one in patterns if fnmatch.fnmatch(path, one)}
    if value:
        remedy = "/dev/video0, csi:0, or an rtsp:// or http:// address"
        raise BadInput("the setting CAMERA is no camera", remedy)
    if cameras := {path for path in found if path.startswith("/dev/video")}:
        return cameras
    raise BadInput(
        "no camera is plugged in, and none is set", "evc config set CAMERA=… --node NAME"
    )


def _passed(paths: Collection[str], found: Mapping[str, int]) -> dict[str, Any]:
    entries = [
        {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rw"}
        for path in sorted(paths)
    ]
    groups = sorted({str(found[path]) for path in paths if found[path]})
    return {"Devices": entries, "GroupAdd": groups}
