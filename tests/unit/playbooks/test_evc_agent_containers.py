"""EVC's containers as the agent sees them, through an engine of the test's own."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.unit.playbooks.rings import agent

EVENT = {"event": "prediction", "time": 1.5, "latency_ms": 20.0, "results": []}


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + struct.pack(">I", len(payload)) + payload


class Engine:
    """A Docker engine of one container: answers by path, logs by `since` and `tail`."""

    def __init__(self, path: Path) -> None:
        self.log: list[tuple[int, int, str]] = []
        self.nanoseconds, self.memory, self.asked = 0, {"usage": 5000}, list[str]()
        self.state = {"Status": "running", "StartedAt": "x", "Health": {"Status": "healthy"}}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen(5)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                path = unquote(connection.recv(65536).split()[1].decode())
                if path == "/end":
                    return
                self.asked.append(path)
                body = self.answer(path)
                status = b"200 OK" if body is not None else b"404 Not Found"
                connection.sendall(b"HTTP/1.0 %s\r\nServer: x\r\n\r\n%s" % (status, body or b""))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self.socket.getsockname())
            connection.sendall(b"GET /end HTTP/1.0\r\n\r\n")
        self.thread.join()
        self.socket.close()

    def answer(self, path: str) -> bytes | None:
        plain, _, query = path.partition("?")
        if plain.endswith("/logs"):
            return self._logs(dict(pair.split("=") for pair in query.split("&")))
        answers: dict[str, object] = {
            "/info": {"DockerRootDir": "/mnt/ssd/docker"},
            "/containers/json": [{"Id": "c" * 64, "Labels": LABELS}],
            "/containers/cccccccccccc/json": {
                "State": self.state,
                "RestartCount": 3,
            },
            "/containers/cccccccccccc/stats": {
                "cpu_stats": {"cpu_usage": {"total_usage": self.nanoseconds}},
                "memory_stats": self.memory,
            },
        }
        return json.dumps(answers[plain]).encode() if plain in answers else None

    def _logs(self, query: dict[str, str]) -> bytes:
        seconds, nanoseconds = query["since"].split(".")
        since = int(seconds) * 10**9 + int(nanoseconds)
        lines = [line for line in self.log[-int(query["tail"]) :] if line[1] >= since]
        return b"".join(
            frame(stream, f"{stamp(moment)} {printed}\n".encode())
            for stream, moment, printed in lines
        )


LABELS = {"evc.model": "face", "evc.release": "1+abc", "evc.digest": "sha256:12"}


def stamp(nanoseconds: int) -> str:
    moment = agent.time.strftime("%Y-%m-%dT%H:%M:%S", agent.time.gmtime(nanoseconds // 10**9))
    return f"{moment}.{nanoseconds % 10**9:09d}Z"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = Engine(tmp_path / "docker.sock")
    yield found
    found.close()


@pytest.fixture
def containers(engine: Engine, tmp_path: Path) -> Any:
    return agent.Containers(str(tmp_path / "docker.sock"))


class TestContainers:
    def test_figures(
        self, engine: Engine, containers: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.memory = {"usage": 5000, "stats": {"inactive_file": 1000}}
        first = containers.look()
        engine.nanoseconds += 10**9
        before = containers._cpu["c" * 12]
        containers._cpu["c" * 12] = (before[0] - 2.0, before[1])
        second = containers.look()["containers"]["c" * 12]
        assert 30.0 < second.pop("cpu") <= 50.0
        assert second == {
            "model": "face",
            "release": "1+abc",
            "digest": "sha256:12",
            "state": "running",
            "health": "healthy",
            "restarts": 3,
            "started": "x",
            "memory": 4000,
        }
        assert "cpu" not in first["containers"]["c" * 12]
        assert containers.root == "/mnt/ssd/docker"
        assert '{"label":["evc.model"]}' in engine.asked[1]

    def test_a_kernel_without_the_memory_cgroup(self, engine: Engine, containers: Any) -> None:
        engine.memory = {}
        assert "memory" not in containers.look()["containers"]["c" * 12]

    def test_an_ended_container_is_not_measured(self, engine: Engine, containers: Any) -> None:
        engine.state = {"Status": "exited", "StartedAt": "x"}
        found = containers.look()["containers"]["c" * 12]
        assert (found["state"], found["health"]) == ("exited", "") and "memory" not in found
        assert not any("stats" in path for path in engine.asked)

    def test_each_event_comes_once(self, engine: Engine, containers: Any) -> None:
        engine.log = [(1, 10**9 + n, json.dumps(dict(EVENT, n=n))) for n in range(3)]
        engine.log += [(2, 10**9 + 3, json.dumps(EVENT)), (1, 10**9 + 3, "hello")]
        found = containers.look()
        assert [one["n"] for one in found["events"]] == [0, 1, 2]
        assert {one["model"] for one in found["events"]} == {"face"}
        engine.log.append((1, 10**9 + 4, json.dumps(dict(EVENT, n=4))))
        assert [one["n"] for one in containers.look()["events"]] == [4]
        assert containers.look()["events"] == []

    def test_another_agent_reads_on_where_this_one_ended(
        self, engine: Engine, containers: Any, tmp_path: Path
    ) -> None:
        engine.log = [(1, 10**9, json.dumps(dict(EVENT, n=0)))]
        since = containers.look()["logs"]
        engine.log.append((1, 10**9 + 1, json.dumps(dict(EVENT, n=1))))
        other = agent.Containers(str(tmp_path / "docker.sock"), json.loads(json.dumps(since)))
        assert [one["n"] for one in other.look()["events"]] == [1]

    def test_an_unknown_log_is_read_from_the_beginning_of_knowledge(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        engine.log = [(1, n * 10**9, json.dumps(dict(EVENT, n=n))) for n in (1, 9)]
        other = agent.Containers(str(tmp_path / "docker.sock"), {}, 5 * 10**9)
        assert [one["n"] for one in other.look()["events"]] == [9]

    def test_many_entries_are_asked_for_only_when_there_are_many(
        self, engine: Engine, containers: Any
    ) -> None:
        engine.log = [(1, 10**9 + n, json.dumps(dict(EVENT, n=n))) for n in range(300)]
        assert [one["n"] for one in containers.look()["events"]] == list(range(300))
        asked = len(engine.asked)
        containers.look()
        assert sum("/logs" in path for path in engine.asked[asked:]) == 1

    def test_a_flood_is_dropped_and_counted(self, engine: Engine, containers: Any) -> None:
        engine.log = [(1, 10**9 + n, json.dumps(dict(EVENT, pad="x" * 2000))) for n in range(150)]
        found = containers.look()
        kept, dropped = found["events"], found["containers"]["c" * 12]["events_dropped"]
        assert len(kept) + dropped == 150 and len(json.dumps(kept)) < 2 * agent.EVENT_BYTES

    def test_a_clock_set_back_does_not_silence_a_log(self, engine: Engine, tmp_path: Path) -> None:
        now = int(agent.time.time()) * 10**9
        other = agent.Containers(str(tmp_path / "docker.sock"), {"c" * 12: now + 86400 * 10**9})
        other.look()
        engine.log = [(1, now + 10 * 10**9, json.dumps(EVENT))]
        assert len(other.look()["events"]) == 1

    def test_without_an_engine(self, tmp_path: Path) -> None:
        found = agent.Containers(str(tmp_path / "none.sock"), {"a": 1}).look()
        assert "No such file" in found["engine"] and found["logs"] == {"a": 1}

    @pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"null", b'{"x": ' * 3])
    def test_an_engine_that_answers_nonsense(
        self, engine: Engine, containers: Any, body: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "answer", lambda _: body)
        assert containers.look()["engine"]

    def test_an_engine_that_hangs_holds_no_sample_up(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.bind(str(tmp_path / "docker.sock"))
            silent.listen(5)
            before = agent.time.monotonic()
            sampler = agent.Sampler("", None, agent.Containers(str(tmp_path / "docker.sock")))
            line = json.loads(sampler.line({}))
            assert agent.time.monotonic() - before < 2.0
            assert "containers" not in line["sample"] and line["sample"]["load"]

    def test_a_sample_takes_what_was_found_once(self, engine: Engine, containers: Any) -> None:
        sampler = agent.Sampler("", None, containers)
        sampler.settle(10.0)
        engine.log = [(1, 10**9, json.dumps(EVENT))]
        first = json.loads(sampler.line({}))["sample"]
        sampler.settle(10.0)
        second = json.loads(sampler.line({}))["sample"]
        sampler.settle(10.0)
        assert first["containers"]["c" * 12]["model"] == "face" and "events" not in first
        assert len(second["events"]) == 1 and second["logs"] == {"c" * 12: 10**9 + 1}
