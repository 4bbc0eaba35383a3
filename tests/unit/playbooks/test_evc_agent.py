"""The agent's parsers, on the files of three machines (see data/agent/README.md)."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.rings import agent

DATA = Path(__file__).parents[1] / "data" / "agent"
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


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + struct.pack(">I", len(payload)) + payload
