"""The main job on real nodes, from nothing to a face found, and what may go wrong on the way."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, cut_off, port

from evc.doors.fleet import Fleet

pytestmark = pytest.mark.fleet

EXAMPLE = Path(__file__).parents[2] / "examples" / "face-detect"
PHOTO = EXAMPLE / "samples" / "astronaut.jpg"
FACE = (179, 60, 89, 113)
EDGES = ("edge01", "edge02", "edge03")
Tiny = Callable[..., Path]


@pytest.fixture(scope="module")
def first(home: Home, slim: None) -> Any:
    """The first `evc run` of the example on machines that nobody registered, or not any more."""
    registered = [row["name"] for row in home.rows("SELECT name FROM node WHERE registered_at")]
    if registered:
        home.evc("node", "remove", "--on", ",".join(registered))
        home.evc("lab", "up", "--nodes", "3", "--builders", "1")
    return home.json("run", str(EXAMPLE))


@pytest.fixture(scope="module")
def serving(home: Home, tiny: Tiny) -> None:
    """A release of `tiny` serves on every edge node; tests bring others, but always one."""
    home.evc("run", str(tiny("1")))


def test_run_from_nothing(home: Home, first: Any) -> None:
    assert first["outcome"] == "done"
    assert {name: one["outcome"] for name, one in first["nodes"].items()} == dict.fromkeys(
        [*EDGES, "builder01"], "done"
    )
    for node in EDGES:
        (found,) = home.models(node, "face-detect")
        assert found["State"]["Running"]
        assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_predict_finds_the_one_face(home: Home, first: Any) -> None:
    answer = home.json("predict", "face-detect", "-i", str(PHOTO), "--on", "lab")
    assert {one["node"] for one in answer["predictions"]} == set(EDGES)
    for one in answer["predictions"]:
        (face,) = one["results"]
        assert face["class"] == "face" and face["probability"] > 0.99
        assert all(abs(a - b) <= 5 for a, b in zip(face["box"], FACE, strict=True))
    stored = home.rows("SELECT name, class, probability FROM modelpred ORDER BY rowid DESC LIMIT 3")
    assert {row["name"] for row in stored} == set(EDGES)
    assert home.rows("SELECT name_img FROM input_image ORDER BY rowid DESC LIMIT 1") == [
        {"name_img": PHOTO.name}
    ]


def test_status_is_what_the_nodes_say(home: Home, first: Any) -> None:
    status = home.json("status", "--on", "lab")
    for node in status["nodes"]:
        (model,) = node["models"]
        assert (model["model"], model["state"]) == ("face-detect", "serving")
        assert model["release"] == first["release"]
        with urllib.request.urlopen(model["url"] + "/health", timeout=10) as answer:
            assert answer.status == 200
    (deployment,) = status["deployments"]
    assert (deployment["state"], deployment["done"]) == ("serving", 3)


def test_containers_are_hardened(home: Home, first: Any) -> None:
    (found,) = home.models("edge01", "face-detect")
    host, config = found["HostConfig"], found["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["evc.digest"] == home.json("model", "list")[0]["images"]["amd64"]
    assert host["ReadonlyRootfs"] and host["Init"] and host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"] and not host["Privileged"]
    assert host["Memory"] == 512 * 1024**2 and host["PidsLimit"] == 512
    assert host["LogConfig"]["Type"] == "local"


def test_second_run_changes_nothing(home: Home, first: Any) -> None:
    before = {node: home.models(node, "face-detect") for node in EDGES}
    done = home.evc("run", str(EXAMPLE))
    assert "Nothing to do" in done.stderr
    again = home.json("run", str(EXAMPLE))
    assert again["outcome"] == "nothing"
    assert all(not one["changed"] and not one["actions"] for one in again["nodes"].values())
    for node in EDGES:
        (old,), (new,) = before[node], home.models(node, "face-detect")
        assert (old["Id"], old["State"]["StartedAt"]) == (new["Id"], new["State"]["StartedAt"])


def test_repairs_exactly_what_was_removed(home: Home, serving: None, tiny: Tiny) -> None:
    """A container, a CA file and the previous release's image, each on another node."""
    project = str(tiny("2"))
    home.evc("run", project)
    (previous,) = home.rows(
        "SELECT digest FROM release_image JOIN release ON release.id = release_id"
        " WHERE model = 'tiny' AND version = '1'"
    )
    home.on("edge01", "docker", "rm", "-f", home.models("edge01", "tiny")[0]["Id"])
    (ca,) = home.on("edge02", "find", "/etc/docker/certs.d", "-name", "ca.crt").split()
    home.on("edge02", "rm", ca)
    image = _image_by_digest(home, "edge03", previous["digest"])
    home.on("edge03", "docker", "rmi", "-f", image)
    untouched = {node: home.models(node, "tiny")[0]["Id"] for node in ("edge02", "edge03")}

    outcome = home.json("run", project)

    actions = {
        name: [action.split()[0] for action in one["actions"]]
        for name, one in outcome["nodes"].items()
    }
    assert actions == {"edge01": ["swap"], "edge02": ["ca"], "edge03": ["pull"]}
    assert home.models("edge01", "tiny")[0]["State"]["Running"]
    assert home.on("edge02", "cat", ca) == home.fleet.ca.read_text().strip()
    assert _image_by_digest(home, "edge03", previous["digest"]) == image
    assert {node: home.models(node, "tiny")[0]["Id"] for node in untouched} == untouched
    assert home.json("run", project)["outcome"] == "nothing"


def _image_by_digest(home: Home, node: str, digest: str) -> str:
    lines = home.on(
        "edge03", "docker", "images", "--digests", "--format", "{{json .}}"
    ).splitlines()
    found = [one for one in map(json.loads, lines) if one["Digest"] == digest]
    return f"{found[0]['Repository']}@{digest}" if found else ""


def test_dead_node_is_named_and_stops_nobody(home: Home, tiny: Tiny) -> None:
    project = tiny("4")
    home.container("edge02").kill()
    try:
        outcome = home.json("run", str(project), code=3)
        assert outcome["outcome"] == "partial"
        assert outcome["nodes"]["edge02"]["outcome"] == "pending"
        assert "unreachable" in outcome["nodes"]["edge02"]["reason"]
        for node in ("edge01", "edge03"):
            assert outcome["nodes"][node]["outcome"] == "done"
        said = home.evc("run", str(project), code=3).stderr
        assert re.search(r"^edge02: unreachable", said, re.MULTILINE)
        down = {one["name"]: one for one in home.json("status")["nodes"]}["edge02"]
        assert not down["up"] and down["reason"]
    finally:
        home.container("edge02").start()
        home.evc("lab", "up", "--nodes", "3", "--builders", "1")
    outcome = home.json("run", str(project))
    assert outcome["nodes"]["edge02"]["outcome"] == "done"
    assert home.models("edge02", "tiny")[0]["Config"]["Labels"]["evc.release"] == outcome["release"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("unhealthy", "status 500"), ("exits", "the container ended with status 1")],
)
def test_broken_release_leaves_the_old_one_serving(
    home: Home, serving: None, tiny: Tiny, fault: str, reason: str
) -> None:
    before = home.models("edge03", "tiny")[0]["Id"]
    done = home.evc("run", str(tiny("6", fault)), "--on", "edge03", code=1)
    assert reason in done.stderr and "the old one serves on" in done.stderr
    if fault == "exits":
        assert "the model file is corrupt" in done.stderr
    (after,) = home.models("edge03", "tiny")
    assert after["Id"] == before and after["State"]["Running"]
    asked = home.json("predict", "tiny", "-i", str(PHOTO), "--on", "edge03")["predictions"]
    assert asked[0]["release"] == after["Config"]["Labels"]["evc.release"], "what serves answered"
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_a_node_cut_off_from_the_registry_pulls_through_ssh(home: Home, tiny: Tiny) -> None:
    """Everything the node sends but SSH's answers is dropped; it gets its image all the same."""
    with cut_off(home, "edge02"):
        outcome = home.json("run", str(tiny("13")), "--on", "edge02")
    assert outcome["nodes"]["edge02"]["outcome"] == "done"
    (found,) = home.models("edge02", "tiny")
    assert found["Config"]["Labels"]["evc.release"] == outcome["release"]
    names = home.on("edge02", "docker", "image", "inspect", found["Image"])
    assert "127.0.0.1:" in names, "it came over the node's own loopback"


def test_two_models_in_each_others_way(home: Home, serving: None, tiny: Tiny) -> None:
    """By port, then by memory: said before anything is touched, and the first can go on."""
    (before,) = home.models("edge03", "tiny")
    rival = tiny("1", model="rival")
    for file in (rival / "myEVCconfig.yaml", rival / "app.py"):
        file.write_text(file.read_text().replace(str(port("rival")), str(port("tiny"))))
    said = home.evc("run", str(rival), "--on", "edge03", code=1).stderr
    assert f"port {port('tiny')} is tiny's there" in said and "publish" in said
    large = tiny("2", model="rival")
    config = (large / "myEVCconfig.yaml").read_text()
    (large / "myEVCconfig.yaml").write_text(config.replace("128M", "4000G"))
    said = home.evc("run", str(large), "--on", "edge03", code=1).stderr
    assert "does not fit beside" in said and "tiny" in said
    assert home.models("edge03", "rival") == []
    assert home.models("edge03", "tiny")[0]["Id"] == before["Id"]
    home.evc("run", str(tiny("18")), "--on", "edge03")


def test_a_plan_is_shown_and_nothing_is_done(home: Home, serving: None) -> None:
    (before,) = home.models("edge01", "tiny")
    version = before["Config"]["Labels"]["evc.release"].partition("+")[0]
    planned = home.json("deploy", f"tiny:{version}", "--on", "edge01", "--plan")
    assert planned["nodes"]["edge01"]["actions"] == []
    home.on("edge01", "docker", "stop", before["Id"])
    planned = home.json("deploy", f"tiny:{version}", "--on", "edge01", "--plan")
    assert planned["nodes"]["edge01"]["actions"] == ["swap (stopped)"]
    assert not home.models("edge01", "tiny")[0]["State"]["Running"]
    assert home.json("sync", "--on", "edge01")["nodes"]["edge01"]["outcome"] == "done"


def test_dockers_own_health_check_counts(home: Home, tiny: Tiny) -> None:
    """An image whose HEALTHCHECK fails never leaves the builder, whatever its port answers."""
    project = tiny("12")
    config = project / "myEVCconfig.yaml"
    config.write_text(config.read_text().replace("start_period: 15", "start_period: 5"))
    (project / "Dockerfile").write_text(
        "FROM small:1\nWORKDIR /app\nCOPY . /app/\n"
        "HEALTHCHECK --interval=1s --timeout=2s --retries=1 CMD false\n"
    )
    done = home.evc("run", str(project), "--on", "edge01", code=1)
    assert "failed at 'test'" in done.stderr and "Docker's health check says" in done.stderr


def test_doctor_finds_and_repairs(home: Home, first: Any) -> None:
    home.evc("doctor")
    home.on("edge02", "rm", "/var/lib/evc/docker/config.json")
    home.on("edge01", "sh", "-c", "echo broken > /var/lib/evc/evc_node.pyz")
    found = home.json("doctor", code=1)["findings"]
    problems = {one["where"]: one for one in found if one["level"] == "problem"}
    assert set(problems) == {"edge01", "edge02"}
    assert all(one["remedy"] for one in problems.values())
    home.evc("doctor", "--fix")
    home.evc("doctor")


def test_one_of_two_commands_on_a_target_wins(home: Home, tiny: Tiny) -> None:
    project = tiny("8")
    with Fleet(home.fleet.root).lock("deploy-tiny"):
        done = home.evc("run", str(project), "--on", "edge01", code=4)
    assert "deploy-tiny is locked by" in done.stderr and "process" in done.stderr


def test_remove_takes_everything_off_the_node(home: Home, serving: None) -> None:
    image = home.models("edge03", "tiny")[0]["Image"]
    for label in ("evc.filler=tiny", "evc.trial=1"):  # as a program that was killed leaves them
        home.on("edge03", "docker", "create", "--label", label, image)
    home.evc("node", "remove", "edge03")
    assert home.on("edge03", "docker", "ps", "-aq") == ""
    assert home.on("edge03", "getent", "passwd", "evc", check=False) == ""
    for path in ("/var/lib/evc", "/etc/cron.d/evc-watch"):
        assert home.on("edge03", "ls", path, check=False).endswith("No such file or directory")
    assert home.on("edge03", "find", "/etc/docker/certs.d", "-name", "ca.crt") == ""
    assert home.models("edge03", "tiny") == []
    assert "edge03" not in home.fleet.inventory_file.read_text()
    assert home.on("edge03", "pgrep", "-f", "evc_node", check=False) == ""
