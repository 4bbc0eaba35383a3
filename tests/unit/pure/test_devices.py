"""GPU flags, cameras and devices, decided from facts as nodes tell them.

The facts are written from the formats that the kernel, L4T and Docker document; none of these
machines was at hand.
"""

from __future__ import annotations

from typing import Any

import pytest

from evc.pure.config import Serve
from evc.pure.devices import Devices, given
from evc.pure.errors import BadInput

X86 = {"gpu": "NVIDIA GeForce RTX 4090", "docker_runtimes": ["io.containerd.runc.v2", "nvidia"]}
JETSON = {"gpu": "Jetson", "l4t": "36.3.0", "docker_runtimes": ["nvidia", "runc"],
          "devices": {"/dev/video0": 44, "/dev/nvhost-gpu": 44}}  # fmt: skip
PI = {"board": "Raspberry Pi 5 Model B Rev 1.0",
      "devices": {"/dev/video0": 44, "/dev/video19": 44, "/dev/media0": 44,
                  "/dev/dma_heap/system": 0, "/dev/dri/renderD128": 105}}  # fmt: skip
NUC: dict[str, Any] = {"devices": {"/dev/dri/renderD128": 105}}


def serve(**keys: Any) -> Serve:
    return Serve.model_validate(keys)


def test_each_node_gives_its_gpu_by_the_flag_that_works_there() -> None:
    plain = given(serve(gpu=True), X86, "")
    assert plain.host == {
        "DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]
    }
    jetson = given(serve(gpu="shared"), JETSON, "")
    assert jetson.host == {"Runtime": "nvidia"}
    assert jetson.variables["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert given(serve(), X86, "") == Devices()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (NUC, "no GPU is known"),
        ({**X86, "docker_runtimes": ["runc"]}, "nvidia-container-toolkit"),
        ({**JETSON, "docker_runtimes": ["runc"]}, "no NVIDIA runtime"),
    ],
)
def test_a_node_that_cannot_give_a_gpu_says_why(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=r"GPU|NVIDIA|nvidia") as caught:
        given(serve(gpu=True), facts, "")
    assert said in str(caught.value)


def entries(found: Devices) -> list[str]:
    return [one["PathOnHost"] for one in found.host.get("Devices", [])]


@pytest.mark.parametrize(
    ("facts", "camera", "devices", "groups"),
    [
        (PI, "/dev/video0", ["/dev/video0"], ["44"]),
        (PI, "", ["/dev/video0", "/dev/video19"], ["44"]),
        (PI, "csi:0",
         ["/dev/dma_heap/system", "/dev/media0", "/dev/video0", "/dev/video19"], ["44"]),
        (PI, "rtsp://192.0.2.1/live", [], None),
        (NUC, "https://192.0.2.1/mjpeg", [], None),
    ],
)  # fmt: skip
def test_a_camera_gets_its_devices_and_group_and_nothing_else(
    facts: dict[str, Any], camera: str, devices: list[str], groups: list[str] | None
) -> None:
    found = given(serve(mode="camera"), facts, camera)
    assert entries(found) == devices
    assert found.host.get("GroupAdd") == groups
    assert {*found.host} <= {"Devices", "GroupAdd"}


def test_a_ribbon_camera_of_a_jetson_comes_by_its_daemon() -> None:
    found = given(serve(mode="camera"), JETSON, "csi:0")
    assert found.host["Runtime"] == "nvidia"
    assert found.host["Binds"] == ["/tmp/argus_socket:/tmp/argus_socket"]


@pytest.mark.parametrize(
    ("facts", "camera", "said"),
    [
        (NUC, "", "no camera is plugged in"),
        (NUC, "/dev/video3", "/dev/video3 is not there"),
        (PI, "file:///etc/shadow", "is no camera"),
        (PI, "/etc/shadow", "is no camera"),
    ],
)
def test_what_is_no_camera_is_said(facts: dict[str, Any], camera: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        given(serve(mode="camera"), facts, camera)


def test_devices_that_a_project_names_come_with_their_groups() -> None:
    found = given(serve(devices=["/dev/dri/renderD128"]), NUC, "")
    assert entries(found) == ["/dev/dri/renderD128"] and found.host["GroupAdd"] == ["105"]
    with pytest.raises(BadInput, match="is not there"):
        given(serve(devices=["/dev/apex_0"]), NUC, "")
    for wrong in ("/etc/passwd", "/dev/../etc/passwd", "/dev/a;b", "/dev/"):
        with pytest.raises(ValueError, match="devices"):
            serve(devices=[wrong])
