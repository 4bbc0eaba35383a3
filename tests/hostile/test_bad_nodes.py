"""Twenty nodes, eight of which answer nothing, or too slowly: the others do not notice."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bench.fleets import Simulated, simulated
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.ssh import connections
from evc.pure.inventory import Node
from evc.runbooks import logger
from evc.runbooks import nodes as inventory
from evc.runbooks.logger import Options
from evc.runbooks.logger import stream as streams

GOOD, HOLES = 12, 6
PATIENCE = 3.0  # seconds that a node has for its handshake
LOOPBACK = "127.0.0.1"


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", PATIENCE)
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(simulated(GOOD, 300.0))
        ports = [stack.enter_context(black_hole()) for _ in range(HOLES)]
        ports += [stack.enter_context(hanging()), stack.enter_context(slow(made))]
        bad = [Node(0, f"bad{number}", LOOPBACK, port) for number, port in enumerate(ports)]
        with opened(made.fleet) as found:
            inventory.save(found, bad)
            for node in bad:
                inventory.remember(found, node.name, {}, registered=True)
        _, key = made.fleet.known_hosts.read_text().splitlines()[0].split(maxsplit=1)
        with made.fleet.known_hosts.open("a") as file:
            file.writelines(f"[{LOOPBACK}]:{port} {key}\n" for port in ports)
        yield made.fleet


def opened(fleet: Fleet) -> contextlib.AbstractContextManager[store.Store]:
    return store.opened(fleet.database, fleets.share() / "db")


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port where nothing answers: the queue of connections to be accepted is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server((LOOPBACK, 0), backlog=100) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def slow(made: Simulated) -> Iterator[int]:
    """A real node behind a link of one byte a second."""
    with made.database() as found:
        (row,) = found.rows("SELECT port FROM node ORDER BY id LIMIT 1")
    stop = threading.Event()

    def carry(here: socket.socket) -> None:
        gone, there = (
            contextlib.suppress(OSError),
            socket.create_connection((LOOPBACK, row["port"])),
        )
        with gone, here, there:
            while not stop.wait(1.0) and (byte := there.recv(1)):
                here.sendall(byte)

    with socket.create_server((LOOPBACK, 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):  # it is closed
                while True:
                    one, _ = listener.accept()
                    threading.Thread(target=carry, args=(one,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)


def test_the_bad_ones_are_named_and_the_others_stored(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time()
    check(once(fleet), began)
    monkeypatch.setattr(streams, "HANDSHAKES", 4)  # fewer than there are bad ones
    began = time.time()
    check(once(fleet), began)
    with opened(fleet) as found:
        (row,) = found.rows("SELECT max(since) AS at FROM reachability WHERE up")
    assert row["at"] < began + PATIENCE, "nobody waited for one that was down before"


def test_told_to_stop_it_waits_for_none_of_them(fleet: Fleet) -> None:
    process = subprocess.Popen([sys.executable, "-m", "evc", "-C", str(fleet.root), "logger"])
    try:
        with opened(fleet) as found:
            heard = "SELECT count(DISTINCT node_id) AS n FROM sample"
            deadline = time.monotonic() + 60
            while found.rows(heard) != [{"n": GOOD}]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        process.terminate()
        asked = time.monotonic()
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - asked < 2.0
    finally:
        process.kill()
        process.wait()


def once(fleet: Fleet) -> tuple[dict[str, bool], dict[str, str], float]:
    """By node whether it was heard; of those that are down why; and when that was known."""
    with opened(fleet) as found:
        heard = logger.run(fleet, found, None, Options(once=True), lambda *_, **__: None)
        ended = time.time()
        rows = found.rows("SELECT name, reason FROM logged_node JOIN reachability AS span"
                          " ON node_id = logged_node.id WHERE NOT up AND since ="
                          " (SELECT max(since) FROM reachability WHERE node_id = span.node_id)"
                          )  # fmt: skip
    return heard, {row["name"]: row["reason"] for row in rows}, ended


def check(result: tuple[dict[str, bool], dict[str, str], float], began: float) -> None:
    heard, down, ended = result
    bad = {name for name in heard if name.startswith("bad")}
    assert len(heard) == GOOD + HOLES + 2
    assert {name for name in heard if not heard[name]} == bad == {*down}
    assert all("did not answer within" in reason for reason in down.values()), down
    assert ended - began < 10 * PATIENCE
