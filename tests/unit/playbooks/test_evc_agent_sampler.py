"""The agent's sampler, on the files of three machines, and what runs beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.rings import agent, until

DATA = Path(__file__).parents[1] / "data" / "agent"


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
