"""Alerts from what was recorded: once when they begin, once when they are over."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import pytest

from evc.doors import notices, store
from evc.doors.store import Store
from evc.pure.alerts import AlertSettings, Threshold
from evc.runbooks.logger.alerts import watch
from evc.runbooks.logger.record import Reached, Recorder
from evc.runbooks.logger.telling import Teller
from tests.unit.runbooks.test_logger_record import NOW, received

MIGRATIONS = Path(__file__).parents[3] / "db"
SETTINGS = AlertSettings(
    thresholds=[Threshold(figure="cpu", above=90, seconds=60)], no_prediction_after=60
)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as found:
        for port, name in enumerate(("cam01", "cam02"), 1):
            found.write(
                "INSERT INTO node (name, address, port, added_at, registered_at)"
                " VALUES (?, '192.0.2.1', ?, 0, 0)", (name, port))  # fmt: skip
        recorder = Recorder(found)
        recorder.write([Reached(name, True, "", NOW) for name in ("cam01", "cam02")])
        yield found


def at(opened: Store, now: float, settings: AlertSettings = SETTINGS) -> list[str]:
    """What is new or over when somebody looks at `now`."""
    return watch(opened, settings, now).splitlines()


def record(opened: Store, numbers: range, idle: float = 50.0, **figures: Any) -> None:
    items = [
        received(seq, node, cpu={"idle": idle}, **(figures if node == "cam01" else {}))
        for seq in numbers
        for node in ("cam01", "cam02")
    ]
    Recorder(opened).write(items)


def test_a_node_is_told_by_its_title_too(opened: Store) -> None:
    opened.write("UPDATE node SET title = '부산 1호점 입구' WHERE name = 'cam01'")
    record(opened, range(20), idle=5.0)
    assert at(opened, NOW + 95) == [
        "cam01 (부산 1호점 입구): cpu above 90", "cam02: cpu above 90"]  # fmt: skip


def test_a_threshold_holds_without_a_break_and_is_told_once(opened: Store) -> None:
    record(opened, range(20), idle=5.0)
    assert at(opened, NOW + 40) == []
    assert at(opened, NOW + 95) == ["cam01: cpu above 90", "cam02: cpu above 90"]
    assert at(opened, NOW + 96) == []
    record(opened, range(20, 21), idle=20.0)
    assert at(opened, NOW + 101) == [
        "cam01: resolved: cpu above 90",
        "cam02: resolved: cpu above 90",
    ]
    assert at(opened, NOW + 102) == []
    assert opened.row("SELECT count(*) AS n FROM alert WHERE until IS NOT NULL") == {"n": 2}


def test_a_node_that_is_down_stays_down_across_loggers(opened: Store) -> None:
    record(opened, range(10))
    recorder = Recorder(opened)
    recorder.write([Reached("cam02", False, "no route\x1b[2J", NOW + 50)])
    record(opened, range(10, 80))
    opened.write("DELETE FROM sample WHERE node_id = 2 AND seq >= 10")
    down = "cam02: cannot be reached: no route\N{REPLACEMENT CHARACTER}[2J"
    assert at(opened, NOW + 299) == []
    assert at(opened, NOW + 360) == [down]
    Recorder(opened).write([Reached("cam02", False, "no route", NOW + 370)])  # another logger
    assert at(opened, NOW + 371) == []
    recorder.write([Reached("cam02", True, "", NOW + 380)])
    assert at(opened, NOW + 381) == [f"cam02: resolved: {down.partition(': ')[2]}"]


def test_unhealthy_and_quiet_models(opened: Store) -> None:
    container = {"model": "face", "release": "1", "digest": "d", "state": "running"}
    record(opened, range(40), containers={"abc": {**container, "health": "unhealthy"}})
    told = at(opened, NOW + 195)
    assert told == [
        "cam01: face runs, and predicts nothing",
        "cam01: face is unhealthy, or restarts again and again",
    ]
    event = {"event": "prediction", "model": "face", "time": NOW + 200,
             "results": [{"class": "a", "probability": 0.5}]}  # fmt: skip
    record(opened, range(40, 41), containers={"abc": {**container, "health": "healthy"}},
           events=[event])  # fmt: skip
    assert all("resolved" in line for line in at(opened, NOW + 201))


LOUD = SETTINGS.model_copy(update={"no_prediction_after": None})
FACE = {"model": "face", "release": "1", "digest": "d", "state": "running", "health": "healthy"}


def test_a_crash_loop_that_is_seen_running_now_and_then(opened: Store) -> None:
    for seq in range(60):
        state, restarts = ("restarting", "running")[seq % 6 == 0], seq // 20
        looping = {**FACE, "state": state, "restarts": 7 + restarts}
        record(opened, range(seq, seq + 1), containers={"abc": looping})
    assert at(opened, NOW + 299, LOUD) == []
    record(opened, range(60, 61), containers={"abc": {**FACE, "restarts": 10}})
    told = ["cam01: face is unhealthy, or restarts again and again"]
    assert at(opened, NOW + 301, LOUD) == told
    record(opened, range(61, 200), containers={"abc": {**FACE, "restarts": 10}})
    assert at(opened, NOW + 995, LOUD) == [told[0].replace("face is", "resolved: face is")]


def assign(opened: Store, model: str) -> None:
    """As a rollout that ended well at NOW leaves it on cam01."""
    given = {"model": model}
    opened.write("INSERT INTO release (model, version, hash, source, config, built_at)"
                 " VALUES (:model, '1', 'h', '', '{}', 0)", given)  # fmt: skip
    opened.write("INSERT INTO deployment (model, release_id, selector, created_at)"
                 " SELECT model, id, 'all', 0 FROM release")  # fmt: skip
    opened.write("INSERT INTO assignment (node_id, model, deployment_id, state, changed_at)"
                 " SELECT 1, model, id, 'serving', :now FROM deployment", {"now": NOW})  # fmt: skip


@pytest.mark.parametrize("left", [{}, {"abc": {**FACE, "state": "exited"}}], ids=["gone", "exited"])
def test_a_model_that_should_run_and_does_not(opened: Store, left: Any) -> None:
    assign(opened, "face")
    record(opened, range(20), containers={"abc": FACE, "old": {**FACE, "state": "exited"}})
    record(opened, range(20, 43), containers=left)
    assert at(opened, NOW + 214, LOUD) == []
    record(opened, range(43, 50), containers=left)
    assert at(opened, NOW + 246, LOUD) == ["cam01: face should run, and does not"]
    record(opened, range(50, 51), containers={"new": FACE})
    assert at(opened, NOW + 251, LOUD) == ["cam01: resolved: face should run, and does not"]


def test_an_engine_that_does_not_answer(opened: Store) -> None:
    assign(opened, "face")
    record(opened, range(20), containers={"abc": FACE})
    for seq in range(20, 50):  # a look that hangs takes two samples
        record(opened, range(seq, seq + 1), **({"engine": "timed out"} if seq % 2 else {}))
    assert at(opened, NOW + 246, LOUD) == ["cam01: Docker does not answer: timed out"]
    record(opened, range(50, 75), containers={"abc": FACE})
    assert at(opened, NOW + 371, LOUD) == ["cam01: resolved: Docker does not answer: timed out"]


def test_a_camera_without_a_new_frame(opened: Store) -> None:
    for model, mode in (("shop", "camera"), ("face", "http")):
        opened.write(
            "INSERT INTO release (model, version, hash, source, config, built_at)"
            " VALUES (?, '1', 'h', '', ?, 0)",
            (model, json.dumps({"serve": {"mode": mode}})),
        )
    container = {"release": "1", "digest": "d", "state": "running", "health": "healthy"}
    running = {name: {**container, "model": name} for name in ("shop", "face")}

    def frame(model: str, seq: int) -> dict[str, Any]:
        return {"event": "prediction", "model": model, "time": NOW + 5 * seq, "latency_ms": 20.0,
                "results": []}  # fmt: skip

    record(opened, range(10), containers=running, events=[frame("shop", 9), frame("face", 9)])
    record(opened, range(10, 33), containers=running)
    settings = SETTINGS.model_copy(update={"no_prediction_after": None})
    assert at(opened, NOW + 164, settings) == []
    assert at(opened, NOW + 166, settings) == [
        "cam01: shop runs, and gets no new frame from its camera"
    ]
    record(opened, range(33, 34), containers=running, events=[frame("shop", 33)])
    assert all("resolved" in line for line in at(opened, NOW + 167, settings))


def test_what_could_not_be_told_is_told_later_and_once(opened: Store) -> None:
    told, broken = list[str](), [True]

    def webhook(text: str) -> None:
        if broken[0]:
            raise OSError("no route")
        told.append(text)

    commands = list[str]()
    teller = Teller(SETTINGS, {"webhook": webhook, "command": commands.append})
    record(opened, range(20), idle=5.0)
    watch(opened, SETTINGS, NOW + 95)
    fired = "cam01: cpu above 90\ncam02: cpu above 90"
    (problem,) = teller.tell(opened, NOW + 95)
    assert problem == "webhook: no route; 2 alerts wait for 30 s"
    assert commands == [fired]
    assert teller.tell(opened, NOW + 120) == []  # it is left alone
    assert "wait for 60 s" in teller.tell(opened, NOW + 126)[0]
    broken[0] = False
    assert Teller(SETTINGS, {"webhook": webhook}).tell(opened, NOW + 127) == []  # another logger
    assert told == [fired] and commands == [fired]
    assert teller.tell(opened, NOW + 300) == [] and told == [fired]
    record(opened, range(20, 21), idle=20.0)
    watch(opened, SETTINGS, NOW + 301)
    teller.tell(opened, NOW + 301)
    teller.tell(opened, NOW + 302)
    over = "cam01: resolved: cpu above 90\ncam02: resolved: cpu above 90"
    assert told == commands == [fired, over]


def test_what_was_over_before_it_could_be_told_is_told(opened: Store) -> None:
    record(opened, range(20), idle=5.0)
    watch(opened, SETTINGS, NOW + 95)
    record(opened, range(20, 21), idle=20.0)
    watch(opened, SETTINGS, NOW + 101)
    told = list[str]()
    teller = Teller(SETTINGS, {"webhook": told.append})
    teller.tell(opened, NOW + 102)
    teller.tell(opened, NOW + 103)
    assert told == ["cam01: resolved: cpu above 90\ncam02: resolved: cpu above 90"]


class Chat(BaseHTTPRequestHandler):
    said: list[Any] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_each_way_is_told_and_a_failure_is_named(tmp_path: Path) -> None:
    server = TCPServer(("127.0.0.1", 0), Chat)  # an HTTPServer asks the DNS for its name
    url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = f"cat > {tmp_path / 'told'}"
    settings = AlertSettings(
        webhook=f"{url}/x",
        command=["sh", "-c", script],
        email={"to": "a@example.net", "sender": "b@example.net", "server": "127.0.0.1", "port": 1},
    )
    ways = notices.ways(settings)
    problems = [notices.tried(name, lambda: way("cam01: $(touch x)")) for name, way in ways.items()]  # noqa: B023
    server.shutdown()
    server.server_close()
    assert Chat.said == [{"text": "cam01: $(touch x)"}]
    assert (tmp_path / "told").read_text() == "cam01: $(touch x)"
    assert problems[:2] == ["", ""] and problems[2].startswith("email: ")
    assert notices.ping(f"{url}/nowhere").startswith("ping: ")
