"""Rollups have the raw rows' own figures, also where a backlog came; pruning keeps the ladder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.samples import Sample
from evc.runbooks import rollups
from evc.runbooks.logger import identities
from evc.runbooks.logger.record import Received, Recorder
from evc.runbooks.rollups import DAY
from tests.unit.runbooks.test_logger_record import NOW, received

MIGRATIONS = Path(__file__).parents[3] / "db"
# The same, by plain SQL over the raw rows.
RAW = """SELECT CAST(time / {0} AS INTEGER) * {0} AS time, min(idle) AS low, avg(idle) AS mean,
         max(idle) AS high, count(idle) AS count FROM sample GROUP BY 1 ORDER BY 1"""
ROLLED = "SELECT time, low, mean, high, count FROM {} WHERE figure = 'idle' ORDER BY time"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as found:
        yield found


def write(opened: Store, numbers: Any) -> None:
    Recorder(opened).write([received(seq, cpu={"idle": seq * 7 % 100}) for seq in numbers])


def same(opened: Store) -> None:
    for table, seconds in (("minute", 60), ("hour", 3600)):
        rolled, raw = opened.rows(ROLLED.format(table)), opened.rows(RAW.format(seconds))
        assert len(rolled) == len(raw) > 1
        for one, other in zip(rolled, raw, strict=True):
            assert tuple(one.values()) == pytest.approx(tuple(other.values()))


def test_rows_that_stand_for_several_samples_count_as_those(opened: Store) -> None:
    """The same figures, once as samples and once as a metered node's minutes of three each."""
    write(opened, range(900, 1500))
    rollups.roll(opened)
    expected = opened.rows(ROLLED.format("minute")), opened.rows(ROLLED.format("hour"))
    opened.write("DELETE FROM sample")
    Recorder(opened).write([minute(seq) for seq in range(900, 1500, 3)])
    rollups.roll(opened)
    found = opened.rows(ROLLED.format("minute")), opened.rows(ROLLED.format("hour"))
    for one, other in zip(expected[0] + expected[1], found[0] + found[1], strict=True):
        assert tuple(one.values()) == pytest.approx(tuple(other.values()))


def minute(first: int) -> Received:
    """Of `first` and the two behind it, as `write` writes them; three are never of two minutes."""
    values = [seq * 7 % 100 for seq in range(first, first + 3)]
    least, most = ({"cpu": {"idle": one}} for one in (min(values), max(values)))
    told = {"from": first, "count": 3, "low": least, "high": most}
    line = {"at": "1", "seq": first + 2, "boot": "b-1", "up": 5.0, "time": NOW, "minute": told}
    mean = {"cpu": {"idle": sum(values) / 3}}
    what = samples.read(json.dumps({**line, "sample": mean}).encode()).what
    assert isinstance(what, Sample)
    return Received("cam01", None, what, Moment(NOW + 5 * first, False), Counter())


def test_minutes_and_hours_are_those_of_the_raw_rows(opened: Store) -> None:
    write(opened, range(900, 1800))
    assert rollups.roll(opened) > 0
    same(opened)
    assert rollups.roll(opened) == 0
    write(opened, range(0, 1000, 3))  # the backlog, in part of minutes that were rolled up
    rollups.roll(opened)
    same(opened)
    figures = {row["figure"] for row in opened.rows("SELECT DISTINCT figure FROM minute")}
    assert figures == {"idle", "memory_used", "disk_used", "disk_available", "temperature"}


def test_told_to_stop_the_rest_waits_for_the_next_time(opened: Store) -> None:
    write(opened, range(0, 4000, 20))
    stops = iter([False, True])
    assert rollups.roll(opened, lambda: next(stops)) == rollups.SLOTS_AT_ONCE
    assert rollups.roll(opened) > 0
    same(opened)


def test_pruning_leaves_what_is_younger(opened: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "ROWS_AT_ONCE", 7)
    write(opened, range(1000))
    rollups.roll(opened)
    for time in (NOW, NOW + 9999):
        opened.write(
            "INSERT INTO prediction (time, node, model, release, class, probability)"
            " VALUES (?, 'cam01', 'm', 'r', 'face', 0.5)", (time,))  # fmt: skip
    minutes = len(opened.rows("SELECT DISTINCT time FROM minute"))
    rollups.prune(opened, NOW + 5 * 400, NOW + 60 * 10)
    assert opened.row("SELECT min(seq) AS seq, count(*) AS n FROM sample") == {"seq": 400, "n": 600}
    assert len(opened.rows("SELECT DISTINCT time FROM minute")) == minutes - 10
    assert opened.rows("SELECT time FROM prediction") == [{"time": NOW + 9999}]
    assert rollups.prune(opened, NOW + 5 * 400, NOW + 60 * 10) == 0


_OLD_AND_NEW = {  # of each table a row of NOW, and one of later
    "reachability": "(node_id, since, until, up, reason) VALUES (1, 0, :time, 1, '')",
    "gap": "(node_id, first, last, reason, time) VALUES (1, 1, 2, 'ring', :time)",
    "alert": "(node, kind, text, since, until) VALUES ('cam01', 'down', '', 0, :time)",
    "progress": "(time, node, status) VALUES (:time, 'cam01', 'pull')",
    "prediction_input": "(time, node, image) VALUES (:time, 'cam01', 'a.jpg')",
    "link": "VALUES (1, CAST(:time AS INTEGER), 5)",
    "boot": "(node_id, boot, seen) VALUES (2, :time, :time)",
    "container": "(node_id, name, model, release, digest, seen)"
    " VALUES (2, :time, 'm', 'r', 'd', :time)",
}


def test_nothing_grows_for_ever(opened: Store) -> None:
    for time in (NOW, NOW + 9 * DAY):
        for table, values in _OLD_AND_NEW.items():
            opened.write(f"INSERT INTO {table} {values}", {"time": time})
    opened.write("INSERT INTO alert (node, kind, text, since) VALUES ('cam01', 'hot', '', 0)")
    opened.write("INSERT INTO telling SELECT id, 'webhook', 0, 0 FROM alert")
    assert rollups.prune(opened, NOW + 5 * DAY, NOW + 5 * DAY) == len(_OLD_AND_NEW)
    for table in _OLD_AND_NEW.keys() - {"alert"}:
        assert len(opened.rows(f"SELECT * FROM {table}")) == 1, table
    assert opened.rows("SELECT until FROM alert ORDER BY until") == [
        {"until": None}, {"until": NOW + 9 * DAY}]  # fmt: skip
    assert len(opened.rows("SELECT * FROM telling")) == 2


def test_what_comes_again_after_its_boot_was_pruned_has_one(
    opened: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(opened)
    recorder.write([received(0)])
    rollups.roll(opened)
    opened.write("UPDATE boot SET seen = ?", (NOW,))
    rollups.prune(opened, NOW + 5 * DAY, NOW)
    assert opened.rows("SELECT * FROM boot") == []
    monkeypatch.setattr(identities, "NOTED_SECONDS", 0.0)
    recorder.write([received(1)])
    assert len(opened.rows("SELECT seq FROM sample JOIN boot ON boot.id = boot_id")) == 1


def test_nothing_is_pruned_before_it_is_rolled_up(opened: Store) -> None:
    write(opened, range(1000))
    rollups.prune(opened, NOW + 9999, NOW)
    assert opened.row("SELECT count(*) AS n FROM sample") == {"n": 1000}
