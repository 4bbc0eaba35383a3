"""An sshd that says nothing, or never ends its banner: a deadline, its name, and nobody waits.

Real sockets against both ways to nodes: EVC's own connections, and OpenSSH under Ansible's plays.
The node that others must not wait for is this machine, so that no account is made on it.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import fleet as fleets
from evc.doors import ssh, store
from evc.doors.fleet import Fleet
from evc.doors.ssh import connections
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import NodeOutcome
from evc.runbooks import nodes as inventory
from evc.runbooks import plays, register
from evc.runbooks.execute import execute
from evc.runbooks.init import init
from evc.runbooks.logger import agents
from evc.runbooks.probe import Silent, probe

BAD = ("silent", "endless", "trickling")
ANSIBLE_SECONDS = 35.0  # ssh's own deadline is 10 s; a play begins and ends slowly
# As `evc`, but it waits for a connection as long as the test has.
EVC = "from evc.doors.ssh import connections; connections.CONNECT_SECONDS = 3.0; import evc.cli;"
AGENT = """
import json, time
def say(**words): print(json.dumps(words), flush=True)
now = {"boot": "b", "up": 2000.0, "time": time.time()}
say(at="", follow={**now, "program": "PROGRAM", "newest": 9})
seq = 0
while True:
    seq += 1
    say(at=str(seq), seq=seq, boot="b", up=1000.0 + seq, time=time.time(), sample={"cpu": {}})
    time.sleep(0.1)
"""


class Sshd:
    """Takes connections on loopback and does `kind` with each, until it is closed."""

    def __init__(self, kind: str) -> None:
        self._kind, self._ended = kind, threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._talk, args=(link,), daemon=True))
            self._threads[-1].start()

    def _talk(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            while not self._ended.wait(0.0 if self._kind == "endless" else 0.2):
                if self._kind == "endless":
                    link.sendall(b"a line before the version\r\n" * 100)
                elif self._kind == "trickling":
                    link.sendall(b"x")

    def close(self) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)


class _Quiet:
    def say(self, line: str) -> None: ...

    def node(self, name: str, doing: str, done: int = 0, total: int = 0) -> None: ...

    def output(self, name: str, line: str) -> None: ...


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """One bad sshd of each kind, which count as registered, and this machine."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 3.0)
    made, sshds = init(tmp_path / "fleet"), {kind: Sshd(kind) for kind in BAD}
    made.config_file.write_text(
        "path: {registry: '127.0.0.1:1'}\nregistry: {running: true, tls: false}\n"
    )
    ssh.ensure_key(made.ssh_key, "test")
    made.known_hosts.touch()
    nodes = [Node(0, name, "127.0.0.1", one.port) for name, one in sshds.items()]
    with store.opened(made.database, fleets.share() / "db") as opened:
        inventory.save(opened, [*nodes, Node(0, "here", "", 0, builder=True, local=True)])
        for name in (*BAD, "here"):
            inventory.remember(opened, name, {"architecture": "x86_64"}, registered=True)
    yield made
    for one in sshds.values():
        one.close()


def everyone(fleet: Fleet) -> list[Node]:
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        return inventory.everyone(opened)


def test_exec(fleet: Fleet) -> None:
    began, said = time.monotonic(), list[tuple[str, float]]()

    def on_line(name: str, line: str) -> None:
        said.append((f"{name} {line}", time.monotonic() - began))

    done = execute(fleet, everyone(fleet), ["echo", "well"], 30.0, on_line)

    ((line, seconds),) = said
    assert line == "here well" and seconds < 3.0
    assert time.monotonic() - began < 15.0
    failed(done)


def test_registration(fleet: Fleet) -> None:
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        done = register.register(fleet, opened, inventory.everyone(opened), _Quiet())
    assert done["here"].well
    failed(done)


def failed(done: dict[str, NodeOutcome]) -> None:
    for name in BAD:
        assert done[name].outcome == "failed" and "127.0.0.1:" in done[name].reason, done
    assert "did not answer within 3 s" in done["silent"].reason


def test_a_probe(fleet: Fleet) -> None:
    nodes, began = everyone(fleet), time.monotonic()
    _put_program(fleet, nodes)

    answers = probe(fleet, nodes)

    assert time.monotonic() - began < 15.0
    assert isinstance(answers["here"], Observation)
    assert abs(answers["here"].clock_offset) < 0.5, "by its own answer, not by all of them"
    for name in BAD:
        found = answers[name]
        assert isinstance(found, Silent) and not found.reachable and "unreachable" in found.reason


def test_a_play(fleet: Fleet) -> None:
    """All that goes by Ansible: repair, build, deploy."""
    nodes, began = everyone(fleet), time.monotonic()
    _put_program(fleet, nodes)

    orders = {node.name: {} for node in nodes}
    results = plays.play(fleet, "run_model", nodes, {"evc_command": "probe"}, orders=orders)

    assert time.monotonic() - began < ANSIBLE_SECONDS
    assert results["here"].ok and results["here"].tasks["start"]["rc"] == 0
    for name in BAD:
        assert not results[name].reachable and "ssh" in results[name].message


def _put_program(fleet: Fleet, nodes: list[Node]) -> None:
    (here,) = [node for node in nodes if node.local]
    Path(plays.home(fleet, here)).mkdir()
    program = Path(plays.home(fleet, here)) / "evc_node.pyz"
    program.write_bytes(plays.program(fleet).read_bytes())


def test_the_logger(fleet: Fleet) -> None:
    (here,) = [node for node in everyone(fleet) if node.local]
    Path(plays.home(fleet, here)).mkdir()
    (Path(plays.home(fleet, here)) / "evc_agent.py").write_text(
        AGENT.replace("PROGRAM", agents.program())
    )
    command = [sys.executable, "-c", f"{EVC} evc.cli.main()", "-C", str(fleet.root), "logger"]
    logger = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with store.opened(fleet.database, fleets.share() / "db") as opened:
            until(lambda: len(_ups(opened)) == 4, 40.0)
            ups = _ups(opened)
            (stored,) = opened.rows("SELECT count(*) AS samples FROM sample")
    finally:
        logger.terminate()
        assert logger.wait(timeout=10) == 0
    assert {name: up for name, (up, _) in ups.items()} == dict.fromkeys(BAD, 0) | {"here": 1}
    assert "did not answer within 3 s" in ups["silent"][1]
    assert stored["samples"] > 10, "stored while the others were waited for"


def _ups(opened: Any) -> dict[str, tuple[int, str]]:
    rows = opened.rows(
        "SELECT name, up, reason FROM reachability JOIN logged_node ON logged_node.id = node_id"
    )
    return {row["name"]: (row["up"], row["reason"]) for row in rows}


def until(ready: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
