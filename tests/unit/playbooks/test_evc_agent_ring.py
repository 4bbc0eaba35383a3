"""The agent's ring and its readers: nothing is lost, nothing comes twice, whatever dies.

What the ring holds is read here independently of the agent, line by line.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[3] / "playbooks" / "files"
sys.path.insert(0, str(FILES))

import evc_agent as agent  # noqa: E402

Key = tuple[str, int, str]
SEGMENT = 2000


def body(n: int, size: int = 20) -> bytes:
    line = {"up": 100.0 + n, "time": 1e9 + n, "sample": {"n": n, "pad": "x" * size}}
    return json.dumps(line, separators=(",", ":")).encode()


def key(line: dict[str, Any]) -> Key:
    payload = json.dumps([line["up"], line["time"], line["sample"]], sort_keys=True)
    return line["boot"], line["seq"], hashlib.sha256(payload.encode()).hexdigest()


def on_disk(folder: Path) -> list[dict[str, Any]]:
    """Every line of the ring, each whole and with its checksum, in order."""
    lines = []
    for path in sorted(folder.glob("*.log")):
        for raw in path.read_bytes().splitlines(keepends=True):
            checksum, _, text = raw.partition(b" ")
            assert raw.endswith(b"\n") and int(checksum, 16) == zlib.crc32(text[:-1])
            lines.append(json.loads(text))
    return lines


def raw_lines(folder: Path) -> set[bytes]:
    return {line for path in folder.glob("*.log") for line in path.read_bytes().splitlines(True)}


def power_cut(folder: Path, chance: random.Random) -> set[bytes]:
    """The lines that the newest segment has lost, after it was cut off somewhere."""
    segment = max(folder.glob("*.log"), default=None)
    before = raw_lines(folder)
    if segment:
        os.truncate(segment, chance.randrange(segment.stat().st_size + 1))
    return before - raw_lines(folder)


def fill(ring: Any, numbers: range) -> None:
    for n in numbers:
        ring.append(body(n))


class Reader:
    """A follower in this process; what it sent, and the position with it."""

    def __init__(self, folder: Path, position: str = "") -> None:
        self.out = b""
        self.follower = agent.Follower(str(folder), agent.parse_position(position), self._write)

    def _write(self, data: bytes) -> None:
        self.out += data

    def close(self) -> None:
        for lane in (self.follower._live, self.follower._backlog):
            if lane:
                lane._cursor.close()

    def all(self) -> list[dict[str, Any]]:
        while self.follower.step():
            pass
        return self.lines()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def samples(self) -> list[dict[str, Any]]:
        return [line for line in self.all() if "sample" in line]

    def numbers(self) -> list[int]:
        return [line["sample"]["n"] for line in self.samples()]

    def gaps(self) -> list[dict[str, Any]]:
        return [line["gap"] for line in self.all() if "gap" in line]


class TestRing:
    def test_lines_hold_number_boot_times_and_sample(self, tmp_path: Path) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(2))
        first, second = on_disk(tmp_path)
        assert first == {
            "seq": second["seq"] - 1,
            "boot": "boot-1",
            "start": True,
            "up": 100.0,
            "time": 1e9,
            "sample": {"n": 0, "pad": "x" * 20},
        }
        assert "start" not in second

    def test_it_stays_within_its_bytes_and_loses_the_oldest(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 10 * SEGMENT, SEGMENT)
        for n in range(1000):
            ring.append(body(n))
            if n % 50 == 0:
                sizes = [path.stat().st_size for path in tmp_path.glob("*.log")]
                assert sum(sizes) <= 10 * SEGMENT and max(sizes) <= SEGMENT
        left = [line["sample"]["n"] for line in on_disk(tmp_path)]
        assert left == list(range(left[0], 1000)) and len(left) > 100

    def test_numbers_never_come_again(self, tmp_path: Path) -> None:
        for start in range(5):
            fill(agent.Ring(str(tmp_path), f"boot-{start // 2}", 10 * SEGMENT, SEGMENT), range(30))
        numbers = [line["seq"] for line in on_disk(tmp_path)]
        assert numbers == sorted(set(numbers))
        assert sum("start" in line for line in on_disk(tmp_path)) == 5

    @pytest.mark.parametrize("cut", [1, 2, 30, 80, "all but one byte"])
    def test_a_torn_last_line_is_cut_off_and_nothing_before_it(
        self, tmp_path: Path, cut: int | str
    ) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(5))
        (segment,) = tmp_path.glob("*.log")
        whole = segment.read_bytes()
        last = len(whole.splitlines(keepends=True)[-1])
        segment.write_bytes(whole[: -cut if isinstance(cut, int) else 1 - last])
        fill(agent.Ring(str(tmp_path), "boot-2"), range(5, 8))
        assert [line["sample"]["n"] for line in on_disk(tmp_path)] == [0, 1, 2, 3, 5, 6, 7]

    @pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"zz\n" * 9, b"00000000 {}\nx"])
    def test_rubbish_behind_the_last_line_is_cut_off(self, tmp_path: Path, rubbish: bytes) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(3))
        (segment,) = tmp_path.glob("*.log")
        segment.write_bytes(segment.read_bytes() + rubbish)
        reader = Reader(tmp_path)
        assert sorted(reader.numbers()) == [0, 1, 2]
        fill(agent.Ring(str(tmp_path), "boot-1"), range(3, 5))
        assert [line["sample"]["n"] for line in on_disk(tmp_path)] == [0, 1, 2, 3, 4]
        assert sorted(reader.numbers()) == [0, 1, 2, 3, 4]

    def test_a_segment_that_lost_everything(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 10 * SEGMENT, SEGMENT)
        fill(ring, range(30))
        sorted(tmp_path.glob("*.log"))[-1].write_bytes(b"")
        left = len(on_disk(tmp_path))
        fill(agent.Ring(str(tmp_path), "boot-2", 10 * SEGMENT, SEGMENT), range(30, 60))
        numbers = [line["seq"] for line in on_disk(tmp_path)]
        assert len(numbers) == left + 30 and numbers == sorted(set(numbers))

    def test_a_damaged_line_in_the_middle_costs_that_line(self, tmp_path: Path) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(9))
        (segment,) = tmp_path.glob("*.log")
        lines = segment.read_bytes().splitlines(keepends=True)
        lines[4] = lines[4][:20] + b"\xff" + lines[4][21:]
        segment.write_bytes(b"".join(lines))
        fill(agent.Ring(str(tmp_path), "boot-1"), range(9, 11))
        reader = Reader(tmp_path)
        assert sorted(reader.numbers()) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
        (gap,) = reader.gaps()
        assert gap["from"] == gap["to"] and gap["reason"] == "disk"

    def test_killed_while_writing_again_and_again(self, tmp_path: Path) -> None:
        """Whoever read a number from the writer's pipe finds it in the ring, once, and in order."""
        program = (
            "import sys; sys.path.append(sys.argv[1]); import evc_agent as a, itertools\n"
            "ring = a.Ring(sys.argv[2], sys.argv[3], 10 ** 8, 20000)\n"
            "for n in itertools.count():\n"
            "  seq = ring._seq\n"
            '  ring.append(b\'{"up":1,"time":2,"sample":{"pad":"%0500d"}}\' % n)\n'
            "  print(seq, flush=True)\n"
        )
        chance, said = random.Random(7), []
        for kill in range(40):
            boot = f"boot-{kill // 3}"
            command = [sys.executable, "-IS", "-c", program, str(FILES), str(tmp_path), boot]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout
                said += [int(writer.stdout.readline()) for _ in range(chance.randrange(1, 150))]
                writer.kill()
                rest = writer.stdout.read().splitlines(keepends=True)
                said += [int(line) for line in rest if line.endswith("\n")]
        fill(agent.Ring(str(tmp_path), "last"), range(1))  # as the next sampler would
        written = [line["seq"] for line in on_disk(tmp_path)]
        assert written == sorted(set(written))
        assert set(said) <= set(written) and len(written) - len(said) <= 41
        reader = Reader(tmp_path)
        assert sorted(line["seq"] for line in reader.samples()) == written
        assert reader.gaps() == []


class TestFullDisk:
    PROGRAM = """
import json, os, sys
sys.path.append(sys.argv[1])
import evc_agent as agent
folder, ring = sys.argv[2], None
ring = agent.Ring(folder, "boot-1", 10**9, 20000)
def write(first, last):
    for n in range(first, last):
        ring.append(b'{"up":1,"time":2,"sample":{"n":%d,"pad":"%s"}}' % (n, b"x" * 900))
def crowd():
    with open(folder + "/crowd", "ab", buffering=0) as file:
        try:
            while file.write(b"x" * 4096): pass
        except OSError: pass
write(0, 60)
crowd()
write(60, 100)                    # the oldest segments make room
numbers = [json.loads(text)["sample"]["n"] for _, path in agent.segments(folder)
           for _, text, _ in agent.records(open(path, "rb").read())]
for n in range(100, 120): crowd(); write(n, n + 1)
crowded = ring.unwritten
os.unlink(folder + "/crowd")
write(120, 130)
after = [json.loads(text)["sample"]["n"] for _, path in agent.segments(folder)
         for _, text, _ in agent.records(open(path, "rb").read())]
sent = []
follower = agent.Follower(folder, None, sent.append)
while follower.step(): pass
lines = [json.loads(line) for line in b"".join(sent).splitlines()]
print(json.dumps([numbers, crowded, ring.unwritten, after, lines]))
"""

    def test_it_goes_on_and_counts(self, tmp_path: Path) -> None:
        mount = f'mount -t tmpfs -o size=256k none {tmp_path} && exec "$@"'
        space = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
        if subprocess.run([*space, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no file system of one's own here")
        command = [*space, sys.executable, "-IS", "-c", self.PROGRAM, str(FILES), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        numbers, crowded, unwritten, after, lines = json.loads(done.stdout)
        assert numbers == list(range(numbers[0], 100)) and numbers[0] > 0
        assert crowded > 0 and unwritten == crowded  # it counted, and wrote again afterwards
        assert after[-10:] == list(range(120, 130))
        gaps = [line["gap"] for line in lines if "gap" in line]
        missing = sum(gap["to"] - gap["from"] + 1 for gap in gaps)
        assert missing and {gap["reason"] for gap in gaps} == {"disk"}


class TestFollowing:
    def test_live_first_then_the_backlog_in_order(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1")
        fill(ring, range(600))
        reader = Reader(tmp_path)
        reader.follower.step()
        begun = len(reader.lines()) - 1
        fill(ring, range(600, 602))
        numbers = reader.numbers()
        assert 1 < begun < 599
        assert numbers[:1] == [599]
        assert numbers[1:begun] == list(range(begun - 1))
        assert numbers[begun : begun + 2] == [600, 601]  # before the rest of the backlog
        assert numbers[begun + 2 :] == list(range(begun - 1, 599))

    def test_the_first_line_says_who_and_when(self, tmp_path: Path) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(3))
        hello = Reader(tmp_path).lines()[0]["follow"]
        program = (FILES / "evc_agent.py").read_bytes()
        assert hello["program"] == f"{zlib.crc32(program):08x}" and hello["format"] == 1
        assert hello["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert (
            abs(hello["time"] - time.time()) < 60
            and hello["newest"] == on_disk(tmp_path)[-1]["seq"]
        )

    def test_a_position_is_gone_on_from(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1")
        fill(ring, range(5))
        at = Reader(tmp_path).samples()[-1]["at"]
        assert at == str(on_disk(tmp_path)[-1]["seq"])
        assert Reader(tmp_path, at).samples() == []
        fill(ring, range(5, 8))
        reader = Reader(tmp_path, at)
        assert reader.numbers() == [7, 5, 6]
        assert reader.samples()[0]["at"] == f"{int(at) + 3},{int(at) + 1}-{int(at) + 2}"

    def test_what_fell_off_is_one_gap(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 5 * SEGMENT, SEGMENT)
        fill(ring, range(10))
        at = Reader(tmp_path).samples()[-1]["at"]
        fill(ring, range(10, 500))
        left = [line["seq"] for line in on_disk(tmp_path)]
        reader = Reader(tmp_path, at)
        assert sorted(line["seq"] for line in reader.samples()) == left
        assert reader.gaps() == [{"from": int(at) + 1, "to": left[0] - 1, "reason": "ring"}]
        assert Reader(tmp_path, reader.samples()[-1]["at"]).gaps() == []

    def test_what_fell_off_before_a_start_is_a_gap_too(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 20 * SEGMENT, SEGMENT)
        fill(ring, range(30))
        for path in tmp_path.glob("*.log"):
            path.unlink()
        at = str(ring._seq - 20)
        (tmp_path / f"{ring._seq:016d}.log").touch()
        fill(agent.Ring(str(tmp_path), "boot-1", 20 * SEGMENT, SEGMENT), range(30, 33))
        (gap,) = Reader(tmp_path, at).gaps()
        assert (gap["from"], gap["reason"]) == (int(at) + 1, "ring")

    def test_what_falls_off_while_it_is_read_is_a_gap(self, tmp_path: Path) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 40 * SEGMENT, SEGMENT)
        fill(ring, range(600))
        reader = Reader(tmp_path)
        reader.follower.step()
        fill(ring, range(600, 2000))
        got = reader.numbers()
        missing = sum(gap["to"] - gap["from"] + 1 for gap in reader.gaps())
        assert len(got) == len(set(got)) and len(got) + missing == 2000 and missing > 0

    def test_a_segment_completed_between_two_looks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ring = agent.Ring(str(tmp_path), "boot-1", 10 * SEGMENT, SEGMENT)
        fill(ring, range(3))
        reader = Reader(tmp_path)
        assert sorted(reader.numbers()) == [0, 1, 2]
        listed = agent.segments

        def late(folder: str) -> list[tuple[int, str]]:
            monkeypatch.setattr(agent, "segments", listed)
            fill(ring, range(3, 30))
            found: list[tuple[int, str]] = listed(folder)
            return found

        monkeypatch.setattr(agent, "segments", late)
        assert sorted(reader.numbers()) == list(range(30)) and reader.gaps() == []

    def test_a_power_cut_takes_back_what_was_sent(self, tmp_path: Path) -> None:
        """The reader knows lines that the disk has lost; it misses none of those written since."""
        fill(agent.Ring(str(tmp_path), "boot-1"), range(20))
        at = Reader(tmp_path).samples()[-1]["at"]
        (segment,) = tmp_path.glob("*.log")
        segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:10]))
        assert Reader(tmp_path, at).samples() == []
        fill(agent.Ring(str(tmp_path), "boot-2"), range(100, 105))
        reader = Reader(tmp_path, at)
        assert sorted(reader.numbers()) == [100, 101, 102, 103, 104] and reader.gaps() == []

    def test_another_ring_is_read_from_its_beginning(self, tmp_path: Path) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(5))
        ahead = str(on_disk(tmp_path)[-1]["seq"] + 10**6)
        reader = Reader(tmp_path, ahead)
        assert sorted(reader.numbers()) == [0, 1, 2, 3, 4]
        assert reader.gaps() == [{"from": int(ahead) + 1, "to": None, "reason": "reset"}]

    def test_a_new_ring_in_its_place_is_missed_nothing_of(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1"), range(50))
        at = Reader(tmp_path).samples()[-1]["at"]
        for path in tmp_path.glob("*.log"):
            path.unlink()
        later = time.time() + 300
        monkeypatch.setattr(agent.time, "time", lambda: later)
        fill(agent.Ring(str(tmp_path), "boot-1"), range(100, 160))
        assert sorted(Reader(tmp_path, at).numbers()) == list(range(100, 160))

    def test_an_empty_ring_is_waited_for(self, tmp_path: Path) -> None:
        reader = Reader(tmp_path)
        assert reader.samples() == [] and reader.lines()[0]["at"] == ""
        fill(agent.Ring(str(tmp_path), "boot-1"), range(3))
        assert reader.numbers() == [0, 1, 2]

    @pytest.mark.parametrize("position", ["x", "5,6", "5,6-", "5-6", ",", "5,1-2,", "nan"])
    def test_no_position(self, position: str) -> None:
        with pytest.raises(ValueError):
            agent.parse_position(position)

    @pytest.mark.parametrize("seed", range(12))
    def test_exactly_once_across_reconnects(self, tmp_path: Path, seed: int) -> None:
        """Cut, restarted, rebooted, wrapped around: each line comes once or is in a gap."""
        chance = random.Random(seed)
        wrote, got, gone = set[bytes](), Counter[Key](), list[tuple[int, int]]()
        cut = set[bytes]()
        at, ring = "", None
        for n in range(60):
            if ring is None or chance.random() < 0.15:
                if ring:
                    ring.close()
                cut |= power_cut(tmp_path, chance) if chance.random() < 0.5 else set()
                ring = agent.Ring(str(tmp_path), f"boot-{n // 9}", 40 * SEGMENT, SEGMENT)
            fill(ring, range(chance.randrange(60)))
            wrote |= raw_lines(tmp_path)
            reader = Reader(tmp_path, at)
            for _ in range(chance.randrange(5)):
                reader.follower.step()
                fill(ring, range(chance.randrange(10)))
                wrote |= raw_lines(tmp_path)
            if n == 59:
                reader.all()
            lines = reader.out.splitlines()
            reader.close()
            for line in map(json.loads, lines[: len(lines) if n == 59 else chance.randrange(99)]):
                at = line["at"]
                got.update([key(line)] if "sample" in line else [])
                gone += [(line["gap"]["from"], line["gap"]["to"])] if "gap" in line else []
        assert max(got.values()) == 1
        all_of_them, cut_off = ({key(json.loads(line[9:])) for line in of} for of in (wrote, cut))
        lost = all_of_them - set(got) - cut_off
        assert all(any(first <= seq <= last for first, last in gone) for _, seq, _ in lost)
        assert set(got) <= all_of_them
        assert not any(
            first <= seq <= last for _, seq, _ in set(got) - cut_off for first, last in gone
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


def until(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether a condition came true in time."""
    deadline, wait = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        wait.wait(0.01)
    return True


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
            "os.O_RDONLY), 5.0", "os.O_RDONLY), 0.1", "SILENCE = 30.0", "SILENCE = 0.5"
        )
        lines = lines_of(program.start("follow", program=copy), 3)
        assert lines[1]["silent"] >= 0.5 and lines[2]["silent"] >= 1.0

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
