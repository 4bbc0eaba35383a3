"""The logger on real nodes: links cut, nodes and programs killed, and nothing is missing or double.

What a node wrote is kept by a process of the test's own on that node, line by line, past EVC.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, wait_until

from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure.panels import DASHBOARDS, Panel
from evc.runbooks import generations
from tests import plugin
from tests.checker import Key, covered, hashed, missing_and_double

pytestmark = pytest.mark.fleet

EDGES = ("edge01", "edge02", "edge03")
METERED = "builder01"
KEPT = "/var/tmp/kept"
# Runs on a node, as root: keeps each line that ever was whole in the ring.
KEEPER = f"""
import glob, os, time
seen = set(open("{KEPT}", "rb")) if os.path.exists("{KEPT}") else set()
with open("{KEPT}", "ab", buffering=0) as kept:
    while True:
        for path in sorted(glob.glob("/var/lib/evc/ring/*.log")):
            for line in open(path, "rb"):
                if line.endswith(b"\\n") and line not in seen:
                    seen.add(line)
                    kept.write(line)
        time.sleep(0.2)
"""


class Running:
    """A logger that runs, and can be killed and started again."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._home, self._log = home, folder / "logger.log"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "evc", "-C", str(self._home.fleet.root), "logger"]
        before = self.said().count("event=logging")
        with self._log.open("a") as log:
            self.process = subprocess.Popen(words, stderr=log)
        wait_until("it logs", lambda: self.said().count("event=logging") > before)

    def kill_as_a_position_moves(self) -> None:
        """At once, without a pause between looks: a position without its samples would be left."""
        query = "SELECT position FROM logged_node"
        with store.opened(self._home.fleet.database, fleets.share() / "db") as opened:
            before, deadline = opened.rows(query), time.monotonic() + 60
            while opened.rows(query) == before:
                assert time.monotonic() < deadline
            self.process.kill()
        self.process.wait()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


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


def keep(home: Home, node: str) -> None:
    name = f"evc-{home.fleet.id}-{node}"
    subprocess.run(["docker", "exec", "-d", name, "python3", "-c", KEEPER], check=True)


def kept(home: Home, node: str) -> dict[Key, str]:
    return hashed(line.encode() for line in home.on(node, "cat", KEPT).splitlines())


def network(home: Home, node: str) -> tuple[str, str]:
    """The node's network, and its address there."""
    ((name, found),) = home.container(node).attrs["NetworkSettings"]["Networks"].items()
    return name, found["IPAddress"]


def docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def nodes(home: Home) -> Iterator[None]:
    """The lab's nodes, registered, without an agent; the link of one is paid by the byte."""
    for node in (*EDGES, METERED):
        home.json("node", "add", node)
    home.evc("node", "set", METERED, "--metered")
    yield
    home.evc("lab", "up", "--nodes", "3", "--builders", "1")


@pytest.fixture
def logger(home: Home, nodes: None, tmp_path: Path) -> Iterator[Running]:
    made = Running(home, tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    sys.stdout.write(made.said())


def test_one_sample_of_each_node_without_an_agent_there(home: Home, nodes: None) -> None:
    home.evc("logger", "--once")
    status: Any = home.json("status", "--on", ",".join(EDGES))
    for node in status["nodes"]:
        assert node["sample_age_s"] < 60 and 0 <= node["sample"]["idle"] <= 100
        assert node["reached"]["up"]
    owner = home.on("edge02", "stat", "-c", "%U", "/var/lib/evc/evc_agent.py")
    assert owner == "evc"
    assert "cpu " in home.evc("status", "--on", "edge02").stdout


def test_every_picture_of_what_the_logger_recorded(home: Home, nodes: None) -> None:
    """Under the plugin's rules; each node's figures are its own, and only where it is chosen.

    What is chosen is what the variables offer, of the nodes one.
    """
    now, seen = time.time(), dict[str, plugin.Frame]()
    said = [(now - 5, "edge01", "lamp", "1.0+a", "person")]
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        opened.write_all(
            "INSERT INTO prediction (time, node, model, release, class, probability)"
            " VALUES (?, ?, ?, ?, ?, 0.9)", said)  # fmt: skip
    for dashboard in DASHBOARDS:
        chosen: dict[str, Any] = {}
        for one in (*dashboard.variables, *dashboard.panels):
            frame = plugin.asked(home.fleet.database, one, (now - 3600, now), chosen)
            if isinstance(one, Panel):
                seen[one.key] = frame
            else:
                offered = frame.columns["__value"]
                assert offered or dashboard.key == "registry", (dashboard.key, one.name)
                chosen[one.name] = ["edge01"] if one.name == "node" else offered
    assert seen["models-last"].columns["class"] == ["person"]
    assert seen["models-classes"].columns["value"] == [1]
    assert seen["fleet-table"].columns["node"] == ["edge01"]
    query = "SELECT 100 - cpuratio AS cpu FROM cpuinfo WHERE name = 'edge01' ORDER BY ROWID DESC"
    assert seen["fleet-table"].columns["cpu"] == [pytest.approx(home.rows(query)[0]["cpu"])]
    assert set(seen["fleet-cpu-nodes"].columns["series"]) == {"edge01"}
    assert seen["node-facts"].columns["value"][0] == "edge01"
    assert 1 in seen["node-reachability"].columns["value"]


def test_whatever_is_cut_or_killed_nothing_is_missing_and_nothing_double(
    home: Home, logger: Running
) -> None:
    began = time.time()
    keep(home, METERED)
    for node in EDGES:
        keep(home, node)
        wait_until(f"{node} is heard", lambda node=node: newest(home, node) > began)  # type: ignore[misc]

    cut_a_link(home, "edge01")
    kill_a_node(home, "edge02")
    for _ in range(8):
        logger.kill_as_a_position_moves()
        home.on("edge03", "pkill", "-9", "-f", "evc_agent.main", check=False)
        logger.start()

    wrote = {node: kept(home, node) for node in EDGES}
    for node in EDGES:
        last = max(seq for _, seq in wrote[node])
        wait_until(
            f"{node} is caught up",
            lambda node=node, last=last: caught_up(home, node, last),  # type: ignore[misc]
            120,
        )
    assert logger.end() == 0
    for node in EDGES:
        check(home, node, wrote[node])
    check_metered(home)


def check_metered(home: Home) -> None:
    """Of all that was received each sample is in one minute; then it is there itself."""
    last, _, hole = positions(home)[METERED].partition(",")
    wrote = {key: one for key, one in kept(home, METERED).items() if key[1] <= int(last)}
    assert not hole and len(wrote) > 20
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        assert {*wrote} <= {*covered(opened, METERED)}
        assert len(covered(opened, METERED)) == len({*covered(opened, METERED)})
    home.evc("logger", "--raw", METERED, "--since", "2h")
    check(home, METERED, wrote)
    (node,) = home.json("status", "--on", METERED)["nodes"]
    assert 10_000 < node["link_bytes_today"] < node["link_budget"] == 3_000_000


def cut_a_link(home: Home, node: str) -> None:
    """For as long as it takes to be noticed, and for six samples; nobody else waits for it."""
    name, address = network(home, node)
    docker("network", "disconnect", name, f"evc-{home.fleet.id}-{node}")
    try:
        wait_until("the cut is noticed", lambda: reached(home, node) is False, 90)
        before = len(kept(home, node))
        wait_until("it samples on", lambda: len(kept(home, node)) >= before + 6)
        assert all(time.time() - newest(home, other) < 15 for other in EDGES if other != node)
    finally:
        docker("network", "connect", "--ip", address, name, f"evc-{home.fleet.id}-{node}")
    back = time.time()
    wait_until("it is heard again", lambda: newest(home, node) > back, 120)


def kill_a_node(home: Home, node: str) -> None:
    docker("kill", f"evc-{home.fleet.id}-{node}")
    docker("start", f"evc-{home.fleet.id}-{node}")
    back = time.time()
    keep(home, node)
    wait_until("it is heard again", lambda: newest(home, node) > back, 180)


def caught_up(home: Home, node: str, last: int) -> bool:
    at, _, holes = positions(home)[node].partition(",")
    return int(at) >= last and not holes


def check(home: Home, node: str, wrote: dict[Key, str]) -> None:
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        assert missing_and_double(opened, node, wrote) == ([], [])
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
