"""Reading a ring by position: live first, the backlog behind, gaps said, nothing twice."""

from __future__ import annotations

import json
import random
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.playbooks.rings import (
    FILES,
    SEGMENT,
    Key,
    Reader,
    agent,
    fill,
    key,
    on_disk,
    power_cut,
    raw_lines,
)


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

    def test_a_hole_is_closed_though_its_last_numbers_never_were(self, tmp_path: Path) -> None:
        """A sampler that restarts leaps; the hole before its first line ends within the leap."""
        fill(agent.Ring(str(tmp_path), "boot-1"), range(5))
        fill(agent.Ring(str(tmp_path), "boot-1"), range(5, 6))
        reader = Reader(tmp_path)
        assert reader.numbers() == [5, 0, 1, 2, 3, 4] and reader.gaps() == []
        assert reader.lines()[-1]["at"] == str(on_disk(tmp_path)[-1]["seq"])

    def test_a_change_is_waited_for_only_where_nothing_more_is(self, tmp_path: Path) -> None:
        fill(agent.Ring(str(tmp_path), "boot-1", 90 * SEGMENT, SEGMENT), range(200))
        cursor, seen = agent.Cursor(str(tmp_path), on_disk(tmp_path)[0]["seq"]), 0
        for _ in range(200):
            seen += len(cursor.read())
            if cursor.drained:
                break
        assert seen == 200 and cursor.drained
        assert len(list(tmp_path.glob("*.log"))) > 5

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
