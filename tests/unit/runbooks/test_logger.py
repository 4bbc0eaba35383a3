"""The logger as a program, and the real agent; the node is this machine: no SSH, all the rest.

What the store must hold is read from the node's ring, line by line, past EVC.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.runbooks import generations, plays
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init
from tests import forked
from tests.checker import missing_and_double, ring_lines

AGENT = Path(__file__).parents[3] / "playbooks" / "files" / "evc_agent.py"
BEFORE = AGENT.parents[2] / "tests" / "unit" / "data" / "evc_agent_before.txt"
NODE = "here"
POSITION = "SELECT position FROM logged_node"


class Controller:
    """A fleet of one node, this machine, whose agent samples fifty times a second."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.running = fleet, list[subprocess.Popen[str]]()
        with self.opened() as opened:
            opened.write(
                "INSERT INTO node (name, address, port, is_local, added_at, registered_at)"
                " VALUES (?, '', 0, 1, 0, 0)", (NODE,))  # fmt: skip
            (node,) = inventory.everyone(opened)
        self.home = Path(plays.home(fleet, node))
        self.home.mkdir()
        (self.home / "evc_agent.py").write_bytes(AGENT.read_bytes())
        self.ring = self.home / "ring"

    def opened(self) -> Any:
        return store.opened(self.fleet.database, fleets.share() / "db")

    def sampler(self, interval: str = "0.02") -> subprocess.Popen[str]:
        words = [str(self.home / "evc_agent.py"), "sample", "--interval", interval]
        return self._start(words, {"EVC_NODE_HOME": str(self.home)})

    def logger(self, *words: str) -> subprocess.Popen[str]:
        return self._start(["-m", "evc", "-C", str(self.fleet.root), "logger", *words], {})

    def hasty(self, **seconds: float) -> subprocess.Popen[str]:
        """A logger some of whose periods are shorter."""
        program = (
            "import json, sys; from evc.runbooks import logger; from evc.cli import main\n"
            "vars(logger).update(json.loads(sys.argv.pop(1))); main()"
        )
        words = ["-C", str(self.fleet.root), "logger"]
        return self._start(["-c", program, json.dumps(seconds), *words], {})

    def evc(self, *words: str) -> subprocess.CompletedProcess[str]:
        return forked.run(["-C", str(self.fleet.root), *words])

    def _start(self, words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.running.append(process)
        return process

    def stored(self) -> int:
        with self.opened() as opened:
            return stored(opened)

    def killed_as_the_position_moves(self, opened: Store, more: int = 0) -> None:
        """Begin a logger and end it, some more samples later, at the moment at which a position
        without its samples would be found."""
        files = (str(self.fleet.root), str(self.fleet.root / "said"))
        logger, aim = forked.FORKS.Process(target=forked.log, args=files), stored(opened) + more
        logger.start()
        try:
            until(lambda: stored(opened) >= aim)
            before = opened.rows(POSITION)
            until(lambda: opened.rows(POSITION) != before, pause=0.0005)
        finally:
            logger.kill()
            logger.join()

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    found = Controller(init(tmp_path / "fleet"))
    yield found
    found.close()


def stored(opened: Store) -> int:
    return int(opened.rows("SELECT count(*) AS n FROM sample")[0]["n"])


def until(condition: Callable[[], object], seconds: float = 60.0, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(pause)


def test_told_to_stop_it_ends_with_everything_stored(controller: Controller) -> None:
    controller.sampler()
    logger = controller.logger()
    until(lambda: controller.stored() > 100)
    before = ring_lines(controller.ring)
    newest = max(seq for _, seq in before)
    until(lambda: max_seq(controller) >= newest)
    logger.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    assert logger.wait(timeout=30) == 0
    assert time.monotonic() - asked < 2.0
    with controller.opened() as opened:
        assert missing_and_double(opened, NODE, before) == ([], [])
        (span,) = opened.rows("SELECT up, until - since AS seconds FROM reachability")
    assert span["up"] == 1 and span["seconds"] > 0


def max_seq(controller: Controller) -> int:
    with controller.opened() as opened:
        return int(opened.rows("SELECT max(seq) AS seq FROM sample")[0]["seq"] or 0)


def test_an_agent_of_the_release_before_is_read(controller: Controller) -> None:
    """Its lines are all there; streaming does not wait for the new one, that cannot be brought."""
    (controller.home / "evc_agent.py").write_bytes(BEFORE.read_bytes())
    sampler = controller.sampler()
    logger = controller.logger()
    until(lambda: controller.stored() > 50)
    sampler.kill()
    sampler.wait()
    before = ring_lines(controller.ring)
    until(lambda: max_seq(controller) >= max(seq for _, seq in before))
    logger.terminate()
    assert logger.wait(timeout=10) == 0
    with controller.opened() as opened:
        assert missing_and_double(opened, NODE, before) == ([], [])


def test_a_second_logger_is_told_who_logs(controller: Controller) -> None:
    controller.sampler()
    logger = controller.logger()
    until(lambda: controller.stored() > 0)
    second = controller.logger()
    _, said = second.communicate(timeout=60)
    assert second.returncode == 4
    assert f"(process {logger.pid}" in said and "logger" in said
    logger.kill()
    logger.wait()
    third = controller.logger("--once")  # death frees the lock
    assert third.wait(timeout=60) == 0


def test_nodes_are_not_limited_by_the_open_files_of_a_shell(controller: Controller) -> None:
    controller.sampler()
    logger = controller.logger()
    _, most = resource.prlimit(logger.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(logger.pid, resource.RLIMIT_NOFILE, (256, most))  # before it reads it
    until(lambda: controller.stored() > 0)
    assert resource.prlimit(logger.pid, resource.RLIMIT_NOFILE) == (most, most)


def test_killed_at_random_nothing_is_missing_and_nothing_double(controller: Controller) -> None:
    chance, sampler, wrote = random.Random(5), controller.sampler(), dict[tuple[str, int], Any]()
    for turn in range(20):
        with controller.opened() as opened:
            controller.killed_as_the_position_moves(opened, chance.randrange(1, 60))
        if turn % 5 == 4:
            sampler.kill()
            sampler.wait()
            sampler = controller.sampler()
        wrote |= ring_lines(controller.ring)
    sampler.kill()
    sampler.wait()
    wrote |= ring_lines(controller.ring)
    controller.logger()
    with controller.opened() as opened:
        newest = str(max(seq for _, seq in wrote))
        until(lambda: opened.rows(POSITION) == [{"position": newest}])
        assert missing_and_double(opened, NODE, wrote) == ([], [])
        assert opened.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_full_disk_is_said_and_costs_nothing(controller: Controller) -> None:
    """What a process may write is limited for a while; what it cannot store waits on the node."""
    controller.sampler()
    logger = controller.logger()
    until(lambda: controller.stored() > 20)
    limit = resource.prlimit(logger.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, (4096, limit[1]))
    assert logger.stderr
    lines = iter(logger.stderr.readline, "")
    said = next(line for line in lines if "cannot store" in line)
    assert "level=error" in said and "the database cannot be written" in said
    before = ring_lines(controller.ring)
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, limit)
    until(lambda: max_seq(controller) >= max(seq for _, seq in before))
    with controller.opened() as opened:
        assert missing_and_double(opened, NODE, before) == ([], [])
        assert opened.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert logger.poll() is None


def test_a_heartbeat_that_cannot_be_stored_ends_no_logger(controller: Controller) -> None:
    """The disk is full, and nothing else is to be stored."""
    sampler = controller.sampler()
    logger = controller.hasty(HEARTBEAT_SECONDS=0.1)
    until(lambda: controller.stored() > 20)
    sampler.kill()
    sampler.wait()
    until(lambda: max_seq(controller) >= max(seq for _, seq in ring_lines(controller.ring)))
    limit = resource.prlimit(logger.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, (4096, limit[1]))
    assert logger.stderr
    assert any("cannot store" in line for line in iter(logger.stderr.readline, ""))
    resource.prlimit(logger.pid, resource.RLIMIT_FSIZE, limit)
    full = time.time()
    with controller.opened() as opened:
        until(lambda: opened.rows("SELECT until FROM reachability")[0]["until"] > full)
    assert logger.poll() is None


def test_an_inventory_that_cannot_be_read_now_is_read_later(controller: Controller) -> None:
    controller.sampler()
    logger = controller.hasty(INVENTORY_SECONDS=0.2)
    until(lambda: controller.stored() > 20)
    with controller.opened() as opened:
        opened.write("UPDATE node SET facts = 'no JSON'")
        assert logger.stderr
        assert any("event=inventory" in line for line in iter(logger.stderr.readline, ""))
        opened.write("UPDATE node SET facts = '{}', port = 1")  # it moves, and is followed there
        connected = "SELECT count(*) AS n FROM reachability WHERE up"
        until(lambda: opened.rows(connected) == [{"n": 2}])
    assert logger.poll() is None


def test_a_node_that_is_removed_is_up_no_more(controller: Controller) -> None:
    controller.sampler()
    logger = controller.hasty(HEARTBEAT_SECONDS=0.1, INVENTORY_SECONDS=0.2)
    until(lambda: controller.stored() > 20)
    with controller.opened() as opened:
        opened.write("DELETE FROM node")
        query = "SELECT until FROM reachability"
        until(lambda: time.time() > opened.rows(query)[0]["until"] + 4.0, 30.0)
    assert logger.poll() is None


def test_once_without_an_agent_is_no_success(controller: Controller) -> None:
    (controller.home / "evc_agent.py").write_text("import sys; sys.exit('broken')\n")
    logger = controller.logger("--once")
    _, said = logger.communicate(timeout=120)
    assert logger.returncode == 1 and f"{NODE}: no sample" in said
    with controller.opened() as opened:
        (span,) = opened.rows("SELECT up, reason FROM reachability")
    assert span["up"] == 0 and "broken" in span["reason"]


def test_a_controller_that_another_one_followed_refuses(controller: Controller) -> None:
    """A node that only says so is not believed."""
    fleet, told = controller.fleet, controller.home / "controller"
    fleets.write_private(fleet.ssh_key, "the fleet's key, which a restored controller has too")
    other = Fleet(fleet.root.parent / "restored")
    shutil.copytree(fleet.certs, other.root / "certs")
    generations.begin(other)
    controller.sampler()
    told.write_text(f"{10**14}:{'0' * 64}")
    logger = controller.logger()
    until(lambda: controller.stored() > 20)
    logger.terminate()
    assert logger.wait(timeout=10) == 0
    told.write_text(generations.mark(other))
    for _ in range(2):  # the second without asking the node
        logger = controller.logger()
        _, said = logger.communicate(timeout=60)
        assert logger.returncode == 2
        assert f"another controller has taken this fleet over ({NODE} said so" in said
        told.unlink(missing_ok=True)
    with pytest.raises(BadInput, match="another controller"):
        plays.play(fleet, "repair", [])
    generations.compare(other, {NODE: generations.mark(other)})
    generations.begin(fleet)  # restored here again
    generations.refuse(fleet)
    assert generations.mark(fleet) != generations.mark(other)
