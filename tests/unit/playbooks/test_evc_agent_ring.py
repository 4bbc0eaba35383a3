"""The agent's ring: nothing is lost, nothing comes twice, whatever dies.

What the ring holds is read here independently of the agent, line by line.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.playbooks.rings import (
    FILES,
    SEGMENT,
    Reader,
    agent,
    body,
    fill,
    on_disk,
)


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
