"""The logger on real nodes: links cut, nodes and programs killed, and nothing is missing or double.

What a node wrote is kept by a process of the test's own on that node, line by line, past EVC.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, wait_until
from loggers import Running, docker, keep, kept, sample_fast

from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure.panels import DASHBOARDS, Panel
from evc.runbooks import generations
from tests import plugin
from tests.checker import (
    Key,
    covered,
    hashed,
    missing_and_double,
    said,
    unsaid_and_double,
)

pytestmark = pytest.mark.fleet

EDGES = ("edge01", "edge02", "edge03")
METERED = "builder01"
CHOSEN = ("edge01", "lamp")  # in the pictures
KILLS = 100
# How long a link is cut at least; the rest of the test takes about two minutes.
CUT_SECONDS = float(os.environ.get("EVC_CUT_SECONDS", "0"))
RING = "/var/lib/evc/ring"
RELEASE = {"model": "talker", "release": "1.0+abc", "digest": "sha256:" + "a" * 64}
# Two lines a second, no two alike.
SCRIPT = """
n=0; while :; do n=$((n+1))
echo '{"event":"prediction","results":[{"class":"'$0-$n'","probability":0.5}],"time":'$(date +%s)'}'
echo '{"event":"metric","name":"'$0'","value":'$n'}'
sleep 1; done
"""


def positions(home: Home) -> dict[str, str]:
    return {row["name"]: row["position"] for row in home.rows("SELECT * FROM logged_node")}


def newest(home: Home, node: str) -> float:
    """When the newest sample of a node was taken."""
    query = f"SELECT time FROM cpuinfo WHERE name = '{node}' ORDER BY ROWID DESC LIMIT 1"
    return next((float(row["time"]) for row in home.rows(query)), 0.0)


def reached(home: Home, node: str) -> bool | None:
    query = f"""SELECT up FROM reachability JOIN logged_node ON logged_node.id = node_id
                WHERE name = '{node}' ORDER BY since DESC LIMIT 1"""
    return next((bool(row["up"]) for row in home.rows(query)), None)


def network(home: Home, node: str) -> tuple[str, str]:
    """The node's network, and its address there."""
    ((name, found),) = home.container(node).attrs["NetworkSettings"]["Networks"].items()
    return name, found["IPAddress"]


@pytest.fixture(scope="module")
def nodes(home: Home) -> Iterator[None]:
    """The lab's nodes, registered, without an agent; the link of one is paid by the byte."""
    home.register()
    home.evc("node", "set", METERED, "--metered")
    yield
    home.evc("lab", "up", "--nodes", "3", "--builders", "1")


@pytest.fixture
def logger(home: Home, nodes: None, tmp_path: Path) -> Iterator[Running]:
    made = Running(home, tmp_path)
    yield made
    made.kill()
    sys.stdout.write(made.said())


def test_one_sample_of_each_node_without_an_agent_there(home: Home, nodes: None) -> None:
    home.evc("logger", "--once", "--on", ",".join(EDGES))
    status: Any = home.json("status", "--on", ",".join(EDGES))
    for node in status["nodes"]:
        assert node["sample_age_s"] < 60 and 0 <= node["sample"]["idle"] <= 100
        assert node["reached"]["up"]
    owner = home.on("edge02", "stat", "-c", "%U", "/var/lib/evc/evc_agent.py")
    assert owner == "evc"
    assert "cpu " in home.evc("status", "--on", "edge02").stdout


def test_every_picture_of_what_the_logger_recorded(home: Home, nodes: None) -> None:
    """Under the plugin's rules; each node's figures are its own, and only where it is chosen.

    What is chosen is what the variables offer, of nodes and of models one.
    """
    now, seen = time.time(), dict[str, plugin.Frame]()
    shown = (now - 3600, now + 1)  # a panel shows whole seconds: that of the newest sample too
    said = [(now - 5, "edge01", "lamp", "1.0+a", "person")]
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        opened.write_all(
            "INSERT INTO prediction (time, node, model, release, class, probability)"
            " VALUES (?, ?, ?, ?, ?, 0.9)", said)  # fmt: skip
    for dashboard in DASHBOARDS:
        chosen: dict[str, Any] = {}
        for one in (*dashboard.variables, *dashboard.panels):
            frame = plugin.asked(home.fleet.database, one, shown, chosen)
            if isinstance(one, Panel):
                seen[one.key] = frame
            else:
                offered = frame.columns["__value"]
                assert offered or dashboard.key == "registry", (dashboard.key, one.name)
                chosen[one.name] = [it for it in offered if it in CHOSEN] or offered
    assert seen["models-last"].columns["class"] == ["person"]
    assert seen["models-classes"].columns["value"] == [1]
    assert seen["fleet-table"].columns["node"] == ["edge01"]
    query = "SELECT 100 - cpuratio AS cpu FROM cpuinfo WHERE name = 'edge01' ORDER BY ROWID DESC"
    assert seen["fleet-table"].columns["cpu"] == [pytest.approx(home.rows(query)[0]["cpu"])]
    assert set(seen["fleet-cpu-nodes"].columns["series"]) == {"edge01"}
    assert seen["node-facts"].columns["value"][0] == "edge01"
    assert 1 in seen["node-reachability"].columns["value"]


@pytest.mark.timeout(600 + CUT_SECONDS)
def test_whatever_is_cut_or_killed_nothing_is_missing_and_nothing_double(
    home: Home, logger: Running, tmp_path: Path
) -> None:
    began = time.time()
    talk(home, "edge03")
    for node in (*EDGES, METERED):
        keep(home, node)
    for node in EDGES:
        wait_until(f"{node} is heard", lambda node=node: newest(home, node) > began)  # type: ignore[misc]
    with a_link_cut(home, "edge01"):
        lost = reboot_without_its_tail(home, "edge02", tmp_path)
        logger.kill()
        for turn in range(1, KILLS):
            if turn % 20 == 1:
                sample_fast(home, "edge03")
            logger.killed_as_a_position_moves(*(() if turn % 10 == 1 else ("--on", "edge03")))
        logger.start()

    wrote = {node: kept(home, node) for node in EDGES}
    for node in EDGES:
        last = max(seq for _, seq in hashed(wrote[node]))
        wait_until(
            f"{node} is caught up",
            lambda node=node, last=last: caught_up(home, node, last),  # type: ignore[misc]
            120,
        )
    code, seconds = logger.end()
    assert code == 0 and seconds < 2.0
    assert len({boot for boot, _ in hashed(wrote["edge02"])}) == 2
    check(home, "edge01", wrote["edge01"])
    check(home, "edge02", wrote["edge02"], lost)
    check(home, "edge03", wrote["edge03"])
    check_what_was_said(home, "edge03", wrote["edge03"])
    check_metered(home)


def check_metered(home: Home) -> None:
    """Of all that was received each sample is in one minute; then it is there itself."""
    last, _, hole = positions(home)[METERED].partition(",")
    lines = [line for line in kept(home, METERED) if _number(line) <= int(last)]
    assert not hole and len(lines) > 10
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        assert {*hashed(lines)} <= {*covered(opened, METERED)}
        assert len(covered(opened, METERED)) == len({*covered(opened, METERED)})
    home.evc("logger", "--raw", METERED, "--since", "2h")
    check(home, METERED, lines)
    (node,) = home.json("status", "--on", METERED)["nodes"]
    assert 10_000 < node["link_bytes_today"] < node["link_budget"] == 3_000_000


def _number(line: bytes) -> int:
    ((_, seq),) = hashed([line])
    return seq


@contextlib.contextmanager
def a_link_cut(home: Home, node: str) -> Iterator[None]:
    """For as long as what is inside takes, or CUT_SECONDS; nobody else waits for it."""
    name, address = network(home, node)
    docker("network", "disconnect", name, f"evc-{home.fleet.id}-{node}")
    began = time.monotonic()
    try:
        wait_until("the cut is noticed", lambda: reached(home, node) is False, 90)
        before = len(kept(home, node))
        assert all(time.time() - newest(home, other) < 15 for other in EDGES if other != node)
        yield
        wait_until("it samples on", lambda: len(kept(home, node)) >= before + 6)
        wait_until("it lasts", lambda: time.monotonic() >= began + CUT_SECONDS, CUT_SECONDS + 1)
    finally:
        docker("network", "connect", "--ip", address, name, f"evc-{home.fleet.id}-{node}")
    back = time.time()
    wait_until("it is heard again", lambda: newest(home, node) > back, 120)


def reboot_without_its_tail(home: Home, node: str, folder: Path) -> set[Key]:
    """Kill a node, cut off what its disk may not have had yet, and start it with another boot id;
    the lines that are gone, in part or whole."""
    name, aside = f"evc-{home.fleet.id}-{node}", "/var/lib/evc/aside"
    home.on(node, "mv", "/var/lib/evc/evc_agent.py", aside)  # until the boot id is another
    docker("kill", name)
    docker("cp", "-a", f"{name}:{RING}", str(folder))
    segment = max((folder / "ring").glob("*.log"))
    whole = segment.read_bytes()
    size = len(whole) - len(whole.splitlines()[-1]) * 5 // 2
    docker("start", name)
    boot = f"echo {uuid.uuid4()} > /var/tmp/boot; chmod 644 /var/tmp/boot"
    mount = "mount --bind /var/tmp/boot /proc/sys/kernel/random/boot_id"
    cut, back = f"truncate -s {size} {RING}/{segment.name}", f"mv {aside} /var/lib/evc/evc_agent.py"
    home.on(node, "sh", "-ec", f"{cut}; {boot}; {mount}; {back}")
    up = time.time()
    keep(home, node)
    wait_until("it is heard again", lambda: newest(home, node) > up, 180)
    before, after = (hashed(one.split(b"\n")[:-1]) for one in (whole, whole[:size]))
    return {*before} - {*after}


def talk(home: Home, node: str) -> None:
    """Have a model's container on a node say something new every second, by its own engine."""
    programs = "/bin/sh /bin/date /bin/sleep"
    libraries = f"$(ldd {programs} | grep -o '/lib[^ ]*' | sort -u)"
    image = f"tar -ch {programs} {libraries} 2> /dev/null | docker import - talker"
    home.on(node, "sh", "-c", image)
    labels = [f"--label=evc.{key}={value}" for key, value in RELEASE.items()]
    words = ["docker", "run", "-d", "--name", "talker", *labels, "talker"]
    home.on(node, *words, "/bin/sh", "-c", SCRIPT, "said")


def check_what_was_said(home: Home, node: str, wrote: list[bytes]) -> None:
    """Each prediction and metric once, and the container that said it."""
    expected = said(wrote)
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        assert unsaid_and_double(opened, node, expected) == ([], [])
        found = opened.rows("SELECT DISTINCT model, release, digest FROM container"
                            " JOIN container_sample ON container_id = id"
                            " WHERE model = 'talker' AND state = 'running' AND memory > 0"
                            )  # fmt: skip
    assert len(expected) > 50 and found == [RELEASE]
    home.on(node, "docker", "rm", "-f", "talker")


def caught_up(home: Home, node: str, last: int) -> bool:
    at, _, holes = positions(home)[node].partition(",")
    return int(at) >= last and not holes


def check(home: Home, node: str, wrote: list[bytes], lost: Collection[Key] = ()) -> None:
    """All is there once, but what was cut off before it could be received."""
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        missing, double = missing_and_double(opened, node, hashed(wrote))
        assert {*missing} <= {*lost} and double == []
        assert opened.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert len(wrote) > 10


def test_a_link_that_carried_what_it_may_is_left_alone(home: Home, nodes: None) -> None:
    config = home.fleet.config_file
    before = config.read_text()
    config.write_text(before + "\nmetered: {megabytes_a_day: 0.001}\n")
    try:
        done = home.evc("logger", "--once", "--on", METERED, code=1)
    finally:
        config.write_text(before)
    assert "today's 0.001 MB of its link are used up" in done.stderr


def test_nodes_follow_a_restored_controller_and_the_old_one_refuses(
    home: Home, nodes: None, tmp_path: Path
) -> None:
    words, file = tmp_path / "words", tmp_path / "backup.evc"
    fleets.write_private(words, "correct horse battery")
    home.evc("backup", "--to", str(file), "--passphrase-file", str(words))
    home.evc("restore", str(file), str(tmp_path / "other"), "--passphrase-file", str(words))
    other = Home(fleets.find(tmp_path / "other"), home.engine)
    before = newest(home, "edge01")
    other.evc("logger", "--once", "--on", "edge01")
    assert newest(other, "edge01") > before and newest(home, "edge01") == before
    try:
        other.evc("logger", "--install", "--on", "edge01")  # as its logger does in the background
        for command in (["logger", "--once", "--on", "edge01"], ["status", "--on", "edge01"]):
            done = home.evc(*command, code=2)
            assert "another controller has taken this fleet over (edge01 said so" in done.stderr
    finally:
        generations.begin(home.fleet)
        home.evc("logger", "--install")
    home.evc("logger", "--once", "--on", "edge01")
