"""`mode: camera` on real nodes: a stream that a setting names, and health by the frame's age."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, wait_until

pytestmark = pytest.mark.fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop-camera"
NODE = "edge03"
ON = ("--node", NODE, "--model", "shop-camera")


@pytest.fixture(scope="module")
def camera(home: Home) -> str:
    """The lab's stream of a photo."""
    up = ("lab", "up", "--nodes", "3", "--builders", "1", "--camera")
    said = {re.search(r"CAMERA=(\S+)", home.evc(*up).stderr)[1] for _ in range(2)}
    (found,) = said  # the second time it is there already
    return str(found)


@pytest.fixture(scope="module")
def counting(
    home: Home, slim: None, camera: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """It runs on one node, which is taken out in the end: it would look on as long as that runs."""
    project = tmp_path_factory.mktemp("counting") / "shop-camera"
    shutil.copytree(EXAMPLE, project)
    config = project / "myEVCconfig.yaml"
    config.write_text(config.read_text().replace("start_period: 60", "start_period: 20"))
    home.evc("config", "set", f"CAMERA={camera}", *ON, "--no-apply")
    yield home.json("run", str(project), "--on", NODE)
    home.evc("node", "remove", NODE)


def inspected(home: Home) -> Any:
    (found,) = home.models(NODE, "shop-camera")
    return found


def test_it_counts_the_one_face_in_each_frame(home: Home, counting: Any) -> None:
    assert counting["nodes"][NODE]["outcome"] == "done"
    found = inspected(home)
    wait_until("a look", lambda: '"prediction"' in home.on(NODE, "docker", "logs", found["Id"]))
    lines = home.on(NODE, "docker", "logs", found["Id"]).splitlines()
    looks = [json.loads(line) for line in lines if '"prediction"' in line]
    assert {tuple(one["class"] for one in look["results"]) for look in looks} == {("face",)}


def test_nothing_but_the_camera_is_loosened(home: Home, counting: Any) -> None:
    found = inspected(home)
    host = found["HostConfig"]
    assert not host["Devices"] and not host["GroupAdd"], "a stream needs no device"
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]
    assert found["Config"]["User"] == "10001:10001"
    (cache,) = [one for one in found["Mounts"] if one["Destination"] == "/cache"]
    assert cache["Name"] == "evc-shop-camera-cache" and cache["RW"]
    home.on(NODE, "docker", "exec", found["Id"], "touch", "/cache/kept")


def test_a_camera_that_gives_no_frame_leaves_the_old_one_serving(
    home: Home, counting: Any, camera: str
) -> None:
    """The cache of before is there for the one that serves on, and for the next."""
    wrong = camera.replace(":8090", ":8091")
    done = home.evc("config", "set", f"CAMERA={wrong}", *ON, code=1)
    assert "no frame yet" in done.stderr and "the old one serves on" in done.stderr
    assert f"CAMERA={camera}" in inspected(home)["Config"]["Env"]
    home.evc("config", "set", f"CAMERA={camera}", "INTERVAL=0.5", *ON)
    found = inspected(home)
    assert "INTERVAL=0.5" in found["Config"]["Env"]
    assert home.on(NODE, "docker", "exec", found["Id"], "ls", "/cache") == "kept"


def test_a_device_that_is_not_there_is_said_before_anything_is_touched(
    home: Home, counting: Any
) -> None:
    before = inspected(home)["Id"]
    done = home.evc("config", "set", "CAMERA=/dev/video7", *ON, code=1)
    assert "/dev/video7 is not there" in done.stderr
    assert inspected(home)["Id"] == before
    home.evc("config", "unset", "CAMERA", *ON, "--no-apply")
