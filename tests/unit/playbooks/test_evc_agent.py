"""The agent's parsers and sampler, on the files of three machines (see data/agent/README.md)."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

FILES = Path(__file__).parents[3] / "playbooks" / "files"
DATA = Path(__file__).parents[1] / "data" / "agent"
sys.path.insert(0, str(FILES))

import evc_agent as agent  # noqa: E402

EVENT = {"event": "prediction", "time": 1.5, "latency_ms": 20.0, "results": []}


def text(machine: str, path: str) -> str:
    return (DATA / machine / path).read_text()


class TestParsers:
    def test_idle_of_cores_and_overall(self) -> None:
        times = [agent.cpu_times(text("rpi", name + "proc/stat")) for name in ("", "later/")]
        assert agent.cpu_idle(*times) == {"idle": 50.0, "cores": [0.0, 0.0, 100.0, 100.0]}

    def test_cores_that_are_off_have_no_figure(self) -> None:
        times = [agent.cpu_times(text("jetson", name + "proc/stat")) for name in ("", "later/")]
        assert agent.cpu_idle(*times) == {
            "idle": 80.0,
            "cores": [0.0, 80.0, 100.0, 100.0, None, None, 100.0, 100.0],
        }

    def test_a_core_that_came_back_has_no_figure_yet(self) -> None:
        times = [agent.cpu_times(f"cpu 1 0 0 {n} 0 0 0 0\ncpu0 1 0 0 {n} 0 0 0 0") for n in (5, 9)]
        assert agent.cpu_idle({"cpu": times[0]["cpu"]}, times[1])["cores"] == [None]

    def test_idle_ticks_that_run_backwards_stay_a_share(self) -> None:
        assert agent.cpu_idle({"cpu": (100, 200)}, {"cpu": (90, 210)})["idle"] == 0.0
        assert agent.cpu_idle({"cpu": (100, 200)}, {"cpu": (130, 220)})["idle"] == 100.0
        assert agent.cpu_idle({"cpu": (100, 200)}, {"cpu": (100, 200)})["idle"] is None

    def test_memory(self) -> None:
        found = agent.memory(text("rpi", "proc/meminfo"))
        assert found == {
            "used": 25.0,
            "total": 3884356 * 1024,
            "available": 2913267 * 1024,
            "swap_total": 102396 * 1024,
            "swap_used": 10000 * 1024,
        }

    def test_interfaces_whose_name_touches_the_number(self) -> None:
        found = agent.network(text("rpi", "proc/net/dev"))
        assert found["wwan0"] == (4000000000, 20000000)
        assert found["eth0"] == (1000000, 500000)

    def test_a_counter_that_began_anew_counts_from_zero(self) -> None:
        assert agent.rates({"a": (100, 50)}, {"a": (300, 10), "new": (9, 9)}, 2.0) == {
            "a": (100.0, 5.0)
        }

    def test_only_the_interface_with_the_default_route(self) -> None:
        assert agent.default_route(text("rpi", "proc/net/route")) == {"eth0"}

    @pytest.mark.parametrize(
        ("machine", "mounts"),
        [
            ("rpi", ["/", "/boot/firmware", "/media/usb stick"]),
            ("jetson", ["/", "/boot/efi"]),
            ("x86", ["/", "/srv/images", "/var/lib/docker"]),
        ],
    )
    def test_real_file_systems(self, machine: str, mounts: list[str]) -> None:
        assert agent.real_mounts(text(machine, "proc/self/mounts")) == mounts

    def test_a_container_s_files_are_no_file_systems(self) -> None:
        table = "overlay / overlay rw 0 0\n/dev/vda /etc/hosts ext4 rw 0 0\n/dev/vda /data ext4 rw"
        assert agent.real_mounts(table, lambda path: path != "/etc/hosts") == ["/", "/data"]

    def test_the_mount_a_path_lies_on(self) -> None:
        mounts = ["/", "/var/lib/docker", "/var/lib/dock"]
        assert agent.mount_of("/var/lib/docker", mounts) == "/var/lib/docker"
        assert agent.mount_of("/var/lib/dockerx", mounts) == "/"
        assert agent.mount_of("/x", []) == ""

    def test_throttling(self) -> None:
        found = agent.throttling(text("rpi", "sys/devices/platform/soc/soc:firmware/get_throttled"))
        both = ["under-voltage", "throttled"]
        assert found == {"now": both, "since_boot": both}
        assert agent.throttling("0\n") == {"now": [], "since_boot": []}
        assert agent.throttling("80000")["since_boot"] == ["soft-temperature-limit"]

    def test_nvidia_leaves_out_what_the_driver_does_not_give(self) -> None:
        first, second = map(agent.nvidia, text("x86", "nvidia-smi.csv").splitlines())
        assert first["0"] == {
            "name": "NVIDIA RTX A4000",
            "used": 37.0,
            "memory_used": 5120 * 1024**2,
            "memory_total": 16376 * 1024**2,
            "temperature": 61.0,
            "power": 88.53,
        }
        assert set(second["1"]) == {"name", "memory_used", "memory_total", "temperature"}

    @pytest.mark.parametrize(
        ("release", "figures"),
        [
            ("32", {"used": 31.0, "temperature": 24.0, "power": 0.04}),
            ("35", {"used": 97.0, "temperature": 43.125, "power": 2.37}),
            ("36", {"used": 0.0, "temperature": 42.9, "power": 3.19}),
        ],
    )
    def test_tegrastats(self, release: str, figures: dict[str, float]) -> None:
        found = agent.tegrastats(text("jetson", f"tegrastats-{release}.txt"))
        assert found == {"0": {"name": "Tegra", **figures}}

    def test_an_engine_s_time(self) -> None:
        assert agent.nanoseconds("1970-01-02T00:00:01.000000005Z") == 86401 * 10**9 + 5
        assert agent.nanoseconds("2024-05-01T12:00:00.5Z") == 1714564800_500000000
        assert agent.nanoseconds("2024-05-01T12:00:00Z") == 1714564800_000000000

    def test_events_among_what_a_container_prints(self) -> None:
        assert agent.event(json.dumps(EVENT)) == (EVENT, len(json.dumps(EVENT)))

    @pytest.mark.parametrize(
        "printed",
        [
            "",
            "loading the model",
            "{",
            "[1]",
            '{"event": 1}',
            '{"latency_ms": 1}',
            '{"event": "prediction", "latency_ms": NaN}',
            '{"event": "prediction", "latency_ms": 1e400}',
            '{"event": "prediction", "results": ' + "[" * 5000 + "]" * 5000 + "}",
            '{"event": "prediction", "results": ' + "[" * 100000,
        ],
        ids=lambda printed: printed[:30],
    )
    def test_what_is_no_event(self, printed: str) -> None:
        assert agent.event(printed) is None

    @pytest.mark.parametrize("cut", range(12))
    def test_a_log_that_was_cut_off(self, cut: int) -> None:
        data = frame(1, b"one\n") + frame(2, b"two\n")
        whole = [(1, "one\n"), (2, "two\n")]
        assert agent.frames(data) == whole
        assert agent.frames(data[: len(data) - cut]) == whole[: 2 if cut == 0 else 1]

    NONSENSE = ("", "\0\xff", "cpu x y\nMemTotal: lots kB\n a b c", "1", "\n\n\n: :\n", "é" * 9000)

    @pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
    @pytest.mark.parametrize(
        "parser",
        [
            agent.cpu_times,
            agent.load,
            agent.memory,
            agent.network,
            agent.default_route,
            agent.disk_io,
            agent.real_mounts,
            agent.degrees,
            agent.throttling,
            agent.nvidia,
            agent.tegrastats,
            agent.nanoseconds,
            agent.parse_position,
        ],
        ids=lambda parser: parser.__name__,
    )
    def test_nonsense_is_refused_or_ignored(
        self, parser: Callable[[str], Any], nonsense: str
    ) -> None:
        with contextlib.suppress(ValueError, LookupError):
            parser(nonsense)


class TestSampler:
    @pytest.fixture
    def root(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        shutil.copytree(DATA / request.param, tmp_path, dirs_exist_ok=True)
        return tmp_path

    @staticmethod
    def figures(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Of a machine between its two states, ten seconds apart."""
        sampler = agent.Sampler(str(root))
        sampler._before = {what: (100.0, value) for what, (_, value) in sampler._before.items()}
        if (root / "later").exists():
            shutil.copytree(root / "later", root, dirs_exist_ok=True)
        monkeypatch.setattr(agent.time, "monotonic", lambda: 110.0)
        found: dict[str, Any] = sampler.figures()
        return found

    @pytest.mark.parametrize("root", ["rpi"], indirect=True)
    def test_raspberry_pi(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.figures(root, monkeypatch)
        assert found["cpu"]["idle"] == 50.0
        assert found["load"] == [0.42, 0.31, 0.27]
        assert found["network"] == {
            "rx": 1300.0,  # the modem came back as a new device: its counters began at zero
            "tx": 2100.0,
            "interfaces": {
                "eth0": {"rx": 1000.0, "tx": 2000.0},
                "wwan0": {"rx": 300.0, "tx": 100.0},
            },
        }
        mmc = {"read": 10240.0, "write": 51200.0, "busy": 2.5}
        assert found["io"] == {"read": 10240.0, "write": 51200.0, "disks": {"mmcblk0": mmc}}
        assert set(found["disks"]) == {"/", "/boot/firmware", "/media/usb stick"}
        assert found["docker_disk"] == "/"
        assert found["temperatures"] == {"cpu-thermal": 48.2}
        assert found["throttling"]["now"] == ["under-voltage", "throttled"]
        assert "gpu" not in found and "problems" not in found and "containers" not in found

    @pytest.mark.parametrize("root", ["jetson"], indirect=True)
    def test_jetson(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.figures(root, monkeypatch)
        assert found["cpu"]["cores"][4:6] == [None, None]
        assert found["temperatures"] == {
            "CPU-therm": 47.3,
            "GPU-therm": 44.1,
            "SOC0-therm": 45.0,
            "tj-therm": 47.3,
            "tj-therm#2": 47.3,
            "tmp451/local": 39.0,
            "tmp451/temp2": -4.5,
        }
        assert set(found["network"]["interfaces"]) == {"eth0"}
        assert set(found["io"]["disks"]) == {"nvme0n1"}
        assert "throttling" not in found

    @pytest.mark.parametrize("root", ["x86"], indirect=True)
    def test_server(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.figures(root, monkeypatch)
        assert found["cpu"] == {"idle": 100.0, "cores": [100.0] * 16}
        assert found["memory"]["used"] == 50.0
        assert found["docker_disk"] == "/var/lib/docker"
        assert set(found["network"]["interfaces"]) == {"enp65s0f0", "enp65s0f1"}  # not the bond
        assert set(found["io"]["disks"]) == {"nvme0n1", "nvme1n1"}
        assert found["temperatures"] == {
            "x86_pkg_temp": 61.0,
            "coretemp/Package id 0": 61.0,
            "coretemp/Core 0": 58.0,
            "nvme/Composite": 41.9,
            "nvme/Composite#2": 42.9,
        }

    def test_a_machine_with_nothing_readable(self, tmp_path: Path) -> None:
        line = json.loads(agent.Sampler(str(tmp_path)).line({"interval": 5}))
        assert line["sample"]["agent"] == {"interval": 5} and line["up"] > 0 and line["time"] > 0

    @pytest.mark.parametrize("root", ["rpi"], indirect=True)
    def test_one_file_of_nonsense_costs_one_figure(self, root: Path) -> None:
        (root / "proc" / "meminfo").write_text("MemTotal: lots")
        (root / "proc" / "loadavg").write_bytes(b"\xff\xfe")
        found = agent.Sampler(str(root)).figures()
        assert [problem.split(":")[0] for problem in found["problems"]] == ["load", "memory"]
        assert found["temperatures"] and "memory" not in found

    @pytest.mark.parametrize("root", ["rpi"], indirect=True)
    def test_an_interface_that_comes_later_is_found(self, root: Path) -> None:
        sampler = agent.Sampler(str(root))
        (root / "sys/class/net/usb0").mkdir()
        (root / "sys/class/net/usb0/device").touch()
        table = root / "proc" / "net" / "dev"
        table.write_text(table.read_text() + "  usb0: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n")
        sampler.figures()
        assert "usb0" in sampler.figures()["network"]["interfaces"]

    @pytest.mark.parametrize("root", ["rpi"], indirect=True)
    def test_without_a_device_the_default_route_counts(self, root: Path) -> None:
        for device in root.glob("sys/class/net/*/device"):
            device.unlink()
        sampler = agent.Sampler(str(root))
        assert set(sampler.figures()["network"]["interfaces"]) == {"eth0"}

    def test_a_table_longer_than_a_page_is_read_whole(self) -> None:
        assert (
            agent.Files("")
            .text("/proc/self/smaps")
            .rstrip()
            .endswith(Path("/proc/self/smaps").read_text().rstrip()[-20:])
        )

    def test_events_too_long_for_a_line_are_left_out(self, tmp_path: Path) -> None:
        sampler = agent.Sampler(str(tmp_path))
        big = {"events": [{"event": "x" * agent.LINE_BYTES}], "containers": {}}
        sampler._container_figures = lambda: big
        line = json.loads(sampler.line({}))
        assert line["sample"]["left_out"] == ["events"] and "containers" in line["sample"]
        big["containers"] = {"x" * agent.LINE_BYTES: {}}
        line = json.loads(sampler.line({"interval": 5}))
        assert line["sample"]["agent"] == {"interval": 5} and "containers" not in line["sample"]


class TestBackground:
    def test_a_result_is_taken_once(self) -> None:
        work = agent.Background(lambda: "found")
        assert work.take() is None
        work.start()
        work.wait(10.0)
        assert (work.take(), work.take()) == ("found", None)


class TestGpu:
    def test_a_program_that_prints_for_ever(self, tmp_path: Path) -> None:
        program = tmp_path / "nvidia-smi"
        data = DATA / "x86" / "nvidia-smi.csv"
        program.write_text(f"#!/bin/sh\necho rubbish\ncat {data}\nexec sleep 60\n")
        program.chmod(0o755)
        printer = agent.gpu_printer(5.0, f"/nowhere:{tmp_path}")
        found: dict[str, Any] = {}
        assert until(lambda: found.update(printer.figures()) or set(found) == {"0", "1"})
        assert printer.figures() == {}  # no last value is repeated
        printer.close()

    def test_a_jetson_s_program_goes_first(self, tmp_path: Path) -> None:
        for name in ("nvidia-smi", "tegrastats"):
            (tmp_path / name).write_text("#!/bin/sh\nexec sleep 60\n")
            (tmp_path / name).chmod(0o755)
        printer = agent.gpu_printer(2.0, str(tmp_path))
        assert printer._command == [str(tmp_path / "tegrastats"), "--interval", "1800"]
        assert until(lambda: printer._process is not None)
        printer.close()

    def test_without_a_program_there_is_none(self, tmp_path: Path) -> None:
        assert agent.gpu_printer(5.0, str(tmp_path)) is None


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + struct.pack(">I", len(payload)) + payload


def until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether a condition came true in time."""
    deadline = agent.time.monotonic() + seconds
    wait = threading.Event()
    while not condition():
        if agent.time.monotonic() > deadline:
            return False
        wait.wait(0.01)
    return True


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
