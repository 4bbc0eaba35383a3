"""The agent as a program: samplers and followers that are killed, replaced and ignored."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.rings import (
    FILES,
    Key,
    Reader,
    agent,
    fill,
    key,
    on_disk,
    raw_lines,
    until,
)


class Program:
    """The agent as a program of its own, its home in a folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.ring = home, home / "ring"
        self.environment = {**os.environ, "EVC_NODE_HOME": str(home)}
        self.running: list[subprocess.Popen[bytes]] = []

    def copy(self, *changes: str) -> Path:
        """The program with some text of it changed, to make it hurry."""
        source = (FILES / "evc_agent.py").read_text()
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert source.count(old) == 1
            source = source.replace(old, new)
        (self.home / "evc_agent.py").write_text(source)
        return self.home / "evc_agent.py"

    def start(
        self, *arguments: str, program: Path = FILES / "evc_agent.py"
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        )
        self.running.append(process)
        return process

    def sample(
        self, program: Path = FILES / "evc_agent.py", *options: str
    ) -> subprocess.Popen[bytes]:
        """Start a sampler and wait until it has written its first line."""
        before = self.starts()
        options = ("--interval", "0.02", "--no-containers", *options)
        process = self.start("sample", *options, program=program)
        assert until(lambda: self.starts() > before)
        return process

    def starts(self) -> int:
        return sum(path.read_bytes().count(b'"start":true') for path in self.ring.glob("*.log"))

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    found = Program(tmp_path)
    yield found
    found.end()


def lines_of(process: subprocess.Popen[bytes], count: int) -> list[dict[str, Any]]:
    assert process.stdout
    return [json.loads(process.stdout.readline()) for _ in range(count)]


class TestTicks:
    def test_each_multiple_once_and_the_missed_ones_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [112.0]
        monkeypatch.setattr(agent, "uptime", lambda: now[0])
        monkeypatch.setattr(agent.time, "sleep", lambda seconds: now.append(now.pop() + seconds))
        ticks, seen = agent.ticks(5.0), []
        for work in (0.1, 0.1, 13.0, 4.9, 0.0):
            minute, missed = next(ticks)
            seen.append((now[0], minute, missed))
            now[0] += work
        assert seen == [
            (115.0, False, 0),
            (120.0, True, 0),
            (125.0, False, 0),
            (140.0, False, 2),
            (145.0, False, 2),
        ]


class TestProgram:
    def test_once(self, program: Program) -> None:
        out, _ = program.start("once").communicate(timeout=60)
        line = json.loads(out)
        assert set(line) == {"boot", "up", "time", "sample"}
        assert (
            0 <= line["sample"]["cpu"]["idle"] <= 100 and line["sample"]["disks"]["/"]["used"] > 0
        )

    def test_a_second_sampler_ends_at_once(self, program: Program) -> None:
        first = program.sample()
        second = program.start("sample", "--interval", "0.02")
        assert second.wait(timeout=30) == 0 and first.poll() is None
        assert program.starts() == 1

    def test_told_to_end_it_leaves_whole_lines(self, program: Program) -> None:
        process = program.sample()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert on_disk(program.ring)

    def test_followers_and_samplers_killed_at_random(self, program: Program) -> None:
        chance, at, got = random.Random(3), "", Counter[Key]()
        sampler = program.sample()
        for turn in range(12):
            reader = program.start("follow", "--after", at)
            for line in lines_of(reader, chance.randrange(2, 12)):
                at = line["at"]
                got.update([key(line)] if "sample" in line else [])
            reader.kill()
            if turn % 3 == 2:
                sampler.kill()
                sampler.wait()
                sampler = program.sample()
        sampler.kill()
        sampler.wait()
        fill(agent.Ring(str(program.ring), "last"), range(1))
        rest = Reader(program.ring, at).samples()
        got.update(key(line) for line in rest)
        assert got == Counter(key(line) for line in on_disk(program.ring))

    def test_a_follower_ends_when_its_reader_has_gone(self, program: Program) -> None:
        reader = program.start("follow")
        lines_of(reader, 1)
        assert reader.stdout
        reader.stdout.close()
        reader.stdout = None
        assert reader.wait(timeout=30) == 0  # though there is nothing to write

    def test_a_reader_that_does_not_read_stops_no_sampler(self, program: Program) -> None:
        program.sample()
        program.start("follow")
        before = len(raw_lines(program.ring))
        assert until(lambda: len(raw_lines(program.ring)) > before + 100)

    def test_a_newer_program_takes_over(self, program: Program) -> None:
        copy = program.copy("MINUTE = 60.0", "MINUTE = 0.2")
        process = program.sample(copy)
        os.utime(copy, (1, 1))
        assert until(lambda: program.starts() == 2) and process.poll() is None

    def test_a_ring_that_was_removed_is_begun_anew(self, program: Program) -> None:
        process = program.sample(program.copy("MINUTE = 60.0", "MINUTE = 0.2"))
        program.ring.rename(program.home / "removed")
        (program.home / "removed" / "lock").unlink()
        assert until(lambda: program.starts() == 1) and process.poll() is None

    def test_as_many_bytes_as_it_is_given(self, program: Program) -> None:
        copy = program.copy("1024 * 1024, 32", "20000, 32")
        program.sample(copy, "--bytes", "60000")
        assert until(lambda: min(program.ring.glob("*.log")) != max(program.ring.glob("*.log")))
        first = min(program.ring.glob("*.log"))
        assert until(lambda: not first.exists())
        assert sum(path.stat().st_size for path in program.ring.glob("*.log")) <= 60000

    def test_silence_is_said(self, program: Program) -> None:
        copy = program.copy(
            "os.O_RDONLY), 5.0", "os.O_RDONLY), 0.1", "silence = 30.0", "silence = 0.5"
        )
        lines = lines_of(program.start("follow", program=copy), 3)
        assert lines[1]["silent"] >= 0.5 and lines[2]["silent"] >= 1.0

    def test_its_first_start_takes_no_more_memory_than_a_later_one(self, program: Program) -> None:
        """What compiling takes, about 2 MB, Python would keep for ever."""
        copy, sizes = program.copy(), []
        for _ in range(2):
            sampler = program.sample(copy)
            text = Path(f"/proc/{sampler.pid}/smaps_rollup").read_text()
            sizes += [int(size) for size in re.findall(r"^Anonymous: +(\d+) kB", text, re.M)]
            sampler.kill()
            sampler.wait()
        assert sizes[0] < sizes[1] + 500

    def test_it_syncs_once_a_minute(self, program: Program) -> None:
        """Minutes of a second, and a byte on stderr instead of each sync, which a disk delays."""
        copy = program.copy("MINUTE = 60.0", "MINUTE = 1.0", "os.fsync(file)", "pass",
                            "full.append(os.open(self._folder, ",
                            "os.write(2, b's'); full.append(os.open(self._folder, ")  # fmt: skip
        sampler = program.sample(copy)
        assert until(lambda: len(on_disk(program.ring)) > 200)
        sampler.kill()
        _, synced = sampler.communicate()
        minutes = {int(line["up"]) for line in on_disk(program.ring)}  # a busy machine skips some
        assert len(minutes) > 3 and abs(len(synced) - (len(minutes) - 1)) <= 1

    def test_its_clocks_are_said_again(self, program: Program) -> None:
        copy = program.copy(
            "os.O_RDONLY), 5.0", "os.O_RDONLY), 0.1", "HELLO_SECONDS = 3600.0", "HELLO_SECONDS = 1"
        )
        first, second = [
            line["follow"] for line in lines_of(program.start("follow", program=copy), 2)
        ]
        assert 1.0 <= second["up"] - first["up"] < 30.0
        assert second["format"] == first["format"] and second["program"] == first["program"]

    @pytest.mark.parametrize(
        "words",
        [
            "",
            "what",
            "sample --interval 0",
            "sample --interval nan",
            "sample --interval",
            "sample 5",
            "follow --after x",
            "once --interval 5",
        ],
    )
    def test_a_wrong_command_line_ends_with_2(self, program: Program, words: str) -> None:
        process = program.start(*words.split())
        _, said = process.communicate(timeout=30)
        assert process.returncode == 2 and b"follow [--after POSITION]" in said
        assert b"Traceback" not in said
