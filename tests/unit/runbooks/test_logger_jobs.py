"""The logger's jobs, each by what it leaves behind."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import schema
from evc.pure.config import ServerConfig
from evc.runbooks.init import init
from evc.runbooks.logger import jobs
from evc.runbooks.logger.jobs import EVERY, Jobs
from evc.runbooks.logger.record import Reached, Recorder
from tests.unit.runbooks.test_logger_record import received

DAY = 86400.0
CHILD = '#!/bin/sh\necho "$*" >> {}\n'


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet with a registry, of two nodes, one of them down since yesterday. What a job runs as
    a process of its own only notes its words, in `ran`."""
    child = tmp_path / "child"
    child.write_text(CHILD.format(tmp_path / "ran"))
    child.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(child))
    made = init(tmp_path / "fleet")
    (made.certs / "registry").mkdir()
    with opened(made) as found:
        for number, name in enumerate(("cam01", "cam02"), 1):
            found.write(
                "INSERT INTO node (id, name, address, port, added_at, registered_at)"
                " VALUES (?, ?, '192.0.2.1', ?, 0, 0)", (number, name, number))  # fmt: skip
        found.write("INSERT INTO place VALUES (1, '시장 골목 7', NULL, NULL)")
        recorder, now = Recorder(found), time.time()
        recorder.write([Reached("cam01", True, "", now - 2 * DAY), received(1)])
        recorder.write([Reached("cam02", False, "no route", now - DAY), received(1, "cam02")])
        found.write("UPDATE reachability SET since = ?, until = ? WHERE NOT up", (now - DAY, now))
        found.write("INSERT INTO controller VALUES (?, 0, 0, 0, 0, 0, 0, 0, 0)", (now - 99 * DAY,))
    return made


def opened(fleet: Fleet) -> Any:
    return store.opened(fleet.database, fleets.share() / "db")


class Said:
    """What jobs say."""

    def __init__(self) -> None:
        self.lines = list[str]()

    def __call__(self, event: str, node: str = "", **words: object) -> None:
        self.lines.append(f"{event} {words}")

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


class Outside(BaseHTTPRequestHandler):
    """The dead man's switch, and who knows where addresses lie."""

    pinged = 0

    def do_GET(self) -> None:
        type(self).pinged += self.path == "/switch"
        self.send_response(200)
        self.end_headers()
        if self.path.startswith("/search"):
            self.wfile.write(b'[{"lat": "35.1", "lon": "129.0", "display_name": "x"}]')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def config() -> Iterator[ServerConfig]:
    """Alerts to nobody; what is asked outside is asked of this machine."""
    Outside.pinged = 0
    server = HTTPServer(("127.0.0.1", 0), Outside)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    text = f"alerts: {{ping: '{url}/switch'}}\ngeocoding: {{server: '{url}'}}\n"
    yield schema.read(text, "ServerConfig.yaml", ServerConfig)
    server.shutdown()
    server.server_close()


@pytest.fixture
def running(
    fleet: Fleet, config: ServerConfig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Said, list[float]]]:
    """Jobs that come every second; what they say, and for how long nothing was stored."""
    monkeypatch.setattr(jobs, "EVERY", dict.fromkeys(EVERY, 1))
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "LOG_BYTES", 0)
    monkeypatch.setattr(jobs, "LOG_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "AGAIN_SECONDS", 0.1)
    said, unstored = Said(), [0.0]
    found = Jobs(fleet, config, said, lambda: unstored[0])
    found.start()
    yield said, unstored
    found.end()


def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_job_is_done(fleet: Fleet, tmp_path: Path, running: tuple[Said, list[float]]) -> None:
    said, unstored = running
    ran = tmp_path / "ran"

    def words() -> str:
        return ran.read_text() if ran.exists() else ""

    with opened(fleet) as found:

        def there(sql: str) -> Callable[[], object]:
            return lambda: found.rows(sql)

        until(there("SELECT 1 FROM minute"))  # rollups
        until(there("SELECT 1 FROM hour"))
        until(lambda: not found.rows("SELECT 1 FROM controller WHERE time < 1.7e9"))  # retention
        until(there("SELECT 1 FROM alert WHERE node = 'cam02' AND kind = 'down'"))
        until(there("SELECT 1 FROM place WHERE round(latitude) = 35"))
        until(there(f"SELECT 1 FROM controller WHERE time > {time.time()}"))
        until(lambda: "registry list -o json" in words())
        until(lambda: "registry renew" in words())
        until(lambda: Outside.pinged > 1)
        _a_reader_without_an_end(found, said)
    unstored[0] = 500.0
    until(lambda: "nothing was stored for 500 s" in said)
    assert not [line for line in said.lines if "error" in line and "reads without" not in line]


def _a_reader_without_an_end(found: Store, said: Said) -> None:
    """It keeps the write-ahead log from beginning anew."""
    found.write("BEGIN")
    found.rows("SELECT * FROM node")
    until(lambda: "a program reads without an end" in said)
    found.write("COMMIT")


def test_a_database_that_cannot_be_opened_now_is_opened_later(
    fleet: Fleet, config: ServerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AGAIN_SECONDS", 0.1)
    aside, said = fleet.database.with_name("aside"), Said()
    fleet.database.rename(aside)
    fleet.database.mkdir()
    found = Jobs(fleet, config, said, lambda: 0.0)
    found.start()
    until(lambda: "jobs" in said)
    fleet.database.rmdir()
    aside.rename(fleet.database)
    with opened(fleet) as again:
        until(lambda: again.rows("SELECT 1 FROM minute"))
    found.end()
