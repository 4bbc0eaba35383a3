"""The logger's writer: what was received is there once, and the original's tables tell it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.positions import Position
from evc.pure.samples import Gap, Sample
from evc.runbooks.logger.record import Known, Left, Reached, Received, Recorder

MIGRATIONS = Path(__file__).parents[3] / "db"
NOW = 1.8e9


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as found:
        yield found


def sample(seq: int, **figures: Any) -> Sample:
    found = {"cpu": {"idle": 75.0}, "memory": {"used": 40.0}, "docker_disk": "/",
             "disks": {"/": {"used": 2_500_000_000, "available": 7_000_000_000}},
             "temperatures": {"cpu": 48.5, "gpu": 40.0}, **figures}  # fmt: skip
    head = {"at": str(seq), "seq": seq, "boot": "b-1", "up": 5.0 * seq, "time": NOW + 5 * seq}
    what = samples.read(json.dumps({**head, "sample": found}).encode()).what
    assert isinstance(what, Sample)
    return what


def received(seq: int, node: str = "cam01", at: Position | None = None, **figures: Any) -> Received:
    return Received(
        node, at or Position(seq), sample(seq, **figures), Moment(NOW + 5 * seq, False), Counter()
    )


def test_samples_and_position_are_there_together(opened: Store) -> None:
    recorder = Recorder(opened)
    recorder.write([received(9, at=Position(9, ((7, 8),))), received(3, "cam02")])
    recorder.write([received(7, at=Position(9, ((8, 8),))), received(8, at=Position(9))])
    assert Recorder(opened).position("cam01") == Position(9)
    assert Recorder(opened).position("cam02") == Position(3)
    assert Recorder(opened).position("new") == Position()
    rows = opened.rows(
        "SELECT name, seq FROM sample JOIN logged_node ON logged_node.id = node_id"
        " ORDER BY sample.id"
    )
    assert [(row["name"], row["seq"]) for row in rows] == [
        ("cam02", 3), ("cam01", 7), ("cam01", 8), ("cam01", 9)]  # fmt: skip


def test_a_write_that_fails_leaves_nothing_and_may_be_made_again(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, bad = Recorder(opened), RuntimeError("killed here")
    with monkeypatch.context() as patched:
        patched.setattr(recorder, "_positions", lambda _: (_ for _ in ()).throw(bad))
        with pytest.raises(RuntimeError, match="killed here"):
            recorder.write([received(1), Reached("cam01", True, "", NOW)])
    assert opened.rows("SELECT * FROM sample") == opened.rows("SELECT * FROM logged_node") == []
    recorder.write([received(1), Reached("cam01", True, "", NOW)])
    assert len(opened.rows("SELECT * FROM sample")) == 1


def test_the_originals_tables(opened: Store, tmp_path: Path) -> None:
    recorder = Recorder(opened)
    network = {"rx": 1000.5, "tx": 20.0, "interfaces": {"eth0": {"rx": 1000.5, "tx": 20.0}}}
    recorder.write([received(2, network=network, cpu={"idle": 90.0}), received(1, "cam02")])
    recorder.write([received(1, network=network)])  # the backlog comes later
    other = sqlite3.connect(tmp_path / "e.db3")

    def newest(table: str) -> tuple[Any, ...]:
        query = f"SELECT * FROM {table} WHERE name = 'cam01' ORDER BY ROWID DESC LIMIT 1"
        row: tuple[Any, ...] = other.execute(query).fetchone()
        assert row[1:] == tuple(opened.rows(query)[0].values())[1:]
        return row[1:]

    assert newest("cpuinfo") == (NOW + 10, "cam01", 90.0)  # idle
    assert newest("meminfo") == (NOW + 10, "cam01", 40.0)  # used
    assert newest("strginfo") == (NOW + 10, "cam01", 2.5, 7.0)
    assert newest("time_temp") == (NOW + 10, "cam01", 48.5)
    assert newest("traffic") == (NOW + 10, "cam01", 1000.5, 20.0)
    assert newest("interface") == (NOW + 10, "cam01", "eth0", 1000.5, 20.0)
    assert newest("disk") == (NOW + 10, "cam01", "/", 2_500_000_000, 7_000_000_000)
    cpu = "SELECT time, name, CAST(100 - cpuratio AS REAL) FROM cpuinfo ORDER BY ROWID"
    assert [row[0] for row in other.execute(cpu)] == [NOW + 5, NOW + 5, NOW + 10]
    other.close()


@pytest.mark.parametrize("where", ["", "WHERE name = 'cam01'"])
@pytest.mark.parametrize("table", ["cpuinfo", "meminfo", "strginfo", "time_temp", "traffic"])
def test_the_newest_row_is_found_without_reading_all(opened: Store, table: str, where: str) -> None:
    plan = f"EXPLAIN QUERY PLAN SELECT * FROM {table} {where} ORDER BY ROWID DESC LIMIT 1"
    steps = [row["detail"] for row in opened.rows(plan)]
    assert not any("TEMP B-TREE" in step for step in steps), steps
    if where:
        assert any("sample_by_node" in step for step in steps), steps


def test_containers_predictions_and_metrics(opened: Store) -> None:
    running = {"model": "face", "release": "1+a", "digest": "d", "state": "running", "cpu": 3.5}
    events = [{"event": "prediction", "model": "face", "time": NOW + 4, "latency_ms": 20.0,
               "results": [{"class": "face", "probability": 0.9}] * 70}]  # fmt: skip
    recorder = Recorder(opened)
    for seq in (2, 1):
        recorder.write([received(seq, containers={"abc": running}, events=events)])
    assert len(opened.rows("SELECT * FROM container")) == 1
    rows = opened.rows("SELECT state, cpu FROM container_sample")
    assert rows == [{"state": "running", "cpu": 3.5}] * 2
    found = opened.rows("SELECT name, class, probability, time FROM modelpred ORDER BY ROWID DESC")
    assert len(found) == 140 and found[0] == {
        "name": "cam01", "class": "face", "probability": 0.9, "time": NOW + 4}  # fmt: skip
    assert [row["value"] for row in opened.rows("SELECT value FROM metric")] == [20.0, 20.0]


def test_gaps_and_what_was_dropped(opened: Store) -> None:
    moment = Moment(NOW, False)
    gap = Received("cam01", Position(9), Gap(3, 5, "ring"), moment, Counter())
    recorder = Recorder(opened)
    recorder.write([gap, Received("cam01", None, None, moment, Counter({"unreadable": 2}))])
    recorder.write([Received("cam01", None, None, moment, Counter({"unreadable": 1}))])
    (row,) = opened.rows("SELECT first, last, reason FROM gap")
    assert row == {"first": 3, "last": 5, "reason": "ring"}
    (dropped,) = opened.rows("SELECT what, count FROM dropped")
    assert dropped == {"what": "unreadable", "count": 3}
    assert recorder.position("cam01") == Position(9)


def test_spans_of_reachability(opened: Store) -> None:
    recorder = Recorder(opened)
    recorder.write([Reached("cam01", True, "", NOW)])
    recorder.write([Reached("cam01", False, "no route", NOW + 60)])
    recorder.seen(NOW + 90)
    rows = opened.rows("SELECT since, until, up, reason FROM reachability ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        (NOW, NOW + 60, 1, ""), (NOW + 60, NOW + 90, 0, "no route")]  # fmt: skip


def test_a_node_that_left_is_up_no_more(opened: Store) -> None:
    recorder = Recorder(opened)
    recorder.write([Reached(name, True, "", NOW) for name in ("cam01", "cam02")])
    recorder.write([Left("cam01", NOW + 10)])
    recorder.seen(NOW + 90)
    rows = opened.rows("SELECT until FROM reachability ORDER BY id")
    assert rows == [{"until": NOW + 10}, {"until": NOW + 90}]


def test_what_a_stream_goes_on_from(opened: Store) -> None:
    recorder = Recorder(opened)
    assert recorder.known("cam01") == Known(Position(), down=False)
    recorder.write([received(3), Reached("cam01", True, "", NOW)])
    assert recorder.known("cam01") == Known(Position(3), down=False)
    recorder.write([Reached("cam01", False, "no route", NOW + 60)])
    assert Recorder(opened).known("cam01") == Known(Position(3), down=True)


def test_the_size_of_a_sample(opened: Store, tmp_path: Path) -> None:
    """As of a Raspberry Pi: four cores, two file systems, two zones, a disk and an interface."""
    figures = {
        "cpu": {"idle": 87.3, "cores": [91.2, 80.1, 88.8, 89.1]},
        "load": [0.42, 0.31, 0.27],
        "memory": {"used": 25.3, "total": 3977580544, "available": 2983185408,
                   "swap_total": 104853504, "swap_used": 10240000},
        "network": {"rx": 10234.5, "tx": 2345.6,
                    "interfaces": {"eth0": {"rx": 10234.5, "tx": 2345.6}}},
        "io": {"read": 10240.0, "write": 51200.5,
               "disks": {"mmcblk0": {"read": 10240.0, "write": 51200.5, "busy": 2.5}}},
        "disks": {"/": {"used": 12345678901, "available": 17345678901},
                  "/boot/firmware": {"used": 12345678, "available": 234567890}},
        "temperatures": {"cpu-thermal": 48.2, "rp1_adc": 51.3},
        "agent": {"interval": 5.0, "missed": 0, "unwritten": 0},
    }  # fmt: skip
    recorder, before = Recorder(opened), (tmp_path / "e.db3").stat().st_size
    for first in range(0, 17_280 * 2, 20):  # a day of two nodes
        recorder.write([received(first + n, f"cam{n % 2}", **figures) for n in range(20)])
    opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ((tmp_path / "e.db3").stat().st_size - before) / 34_560 <= 600
