"""Checking the database, and taking in an original one with all its garbage."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import EvcError
from evc.runbooks import database
from evc.runbooks.init import init

# As the original wrote it: everything is text, and what could not be parsed went in all the same.
ORIGINAL = """
CREATE TABLE cpuinfo (time DATETIME, name TEXT, cpuratio TEXT);
INSERT INTO cpuinfo VALUES ('2024-05-01 12:00:00', 'rpi01', '87.5'),
  ('1714564805', 'rpi01', '90'), ('1714564805', 'rpi01', '91'), ('1714564810', 'rpi01', 'nan'),
  ('1714564815', 'rpi01', 'fatal: unreachable'), ('yesterday', 'rpi01', '5'),
  ('1714564820', '../etc', '5'), ('1714564825', 'rpi01', '101'), (NULL, NULL, NULL);
CREATE TABLE strginfo (time TEXT, name TEXT, inuse TEXT, capacity TEXT);
INSERT INTO strginfo VALUES ('1714564805', 'rpi01', '12G', '17.5');
CREATE TABLE time_temp (time TEXT, name TEXT, temperature TEXT);
INSERT INTO time_temp VALUES ('1714564805', 'rpi01', '48.3''C');
CREATE TABLE modelpred (time TEXT, name TEXT, class TEXT, probability TEXT);
INSERT INTO modelpred VALUES ('1714564805', 'rpi01', 'face', '0.9'),
  ('1714564805', 'rpi01', 'face', '0.9'), ('1714564805', 'rpi01', 'face', 'high');
CREATE TABLE dstrb_progress (time TEXT, name TEXT, status TEXT);
INSERT INTO dstrb_progress VALUES ('1714564805', 'rpi01', 'pulling');
CREATE TABLE nodes (time TEXT, name TEXT);
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, fleets.share() / "db") as found:
        yield found


@pytest.fixture
def old(tmp_path: Path) -> Path:
    writer = sqlite3.connect(tmp_path / "old.db3")
    writer.executescript(ORIGINAL)
    writer.close()
    return tmp_path / "old.db3"


def test_what_is_good_is_taken_in_and_the_rest_is_reported(
    fleet: Fleet, opened: Store, old: Path
) -> None:
    before = old.read_bytes()
    found = database.import_file(fleet, opened, old)
    assert found["tables"] == {
        "cpuinfo": {"stored": 3, "there": 0, "refused": 6},
        "strginfo": {"stored": 1, "there": 0, "refused": 0},
        "time_temp": {"stored": 1, "there": 0, "refused": 0},
        "modelpred": {"stored": 2, "there": 0, "refused": 1},
        "dstrb_progress": {"stored": 1, "there": 0, "refused": 0},
    }
    reasons = {(one["table"], one["row"]): one["reason"] for one in _report(found)}
    assert reasons["cpuinfo", 5] == "cpuratio: 'fatal: unreachable' is no number"
    assert reasons["cpuinfo", 6] == "time: 'yesterday' is no time"
    assert "is not between 0 and 100" in reasons["cpuinfo", 4]
    assert set(reasons) == {*(("cpuinfo", row) for row in range(4, 10)), ("modelpred", 3)}
    rows = opened.rows("SELECT name, cpuratio FROM cpuinfo ORDER BY rowid")
    assert {row["cpuratio"] for row in rows} == {87.5, 90.0, 91.0}
    (disk,) = opened.rows("SELECT inuse, capacity FROM strginfo")
    assert disk == {"inuse": 12.0, "capacity": 17.5}
    assert opened.rows("SELECT temperature FROM time_temp") == [{"temperature": 48.3}]
    assert old.read_bytes() == before


def _report(found: dict[str, str]) -> list[dict[str, str]]:
    report: list[dict[str, str]] = json.loads(Path(found["report"]).read_text())
    return report


def test_twice_is_the_same_as_once(fleet: Fleet, opened: Store, old: Path) -> None:
    database.import_file(fleet, opened, old)
    tables = ("sample", "prediction", "progress", "unrolled")
    before = [opened.rows(f"SELECT * FROM {table}") for table in tables]
    again = database.import_file(fleet, opened, old)
    assert [one["stored"] for one in again["tables"].values()] == [0] * 5
    assert again["tables"]["cpuinfo"] == {"stored": 0, "there": 3, "refused": 6}
    assert [opened.rows(f"SELECT * FROM {table}") for table in tables] == before


def test_a_file_that_is_no_database(fleet: Fleet, opened: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\0random" * 1000)
    with pytest.raises(EvcError, match="cannot be read as a database"):
        database.import_file(fleet, opened, tmp_path / "x")


def test_an_original_in_our_place_is_left_as_it_is(fleet: Fleet, old: Path) -> None:
    fleet.database.parent.mkdir(exist_ok=True)
    old.rename(fleet.database)
    before = fleet.database.read_bytes()
    with pytest.raises(EvcError, match="somebody else's database"):
        store.connect(fleet.database, fleets.share() / "db")
    assert fleet.database.read_bytes() == before


def test_check(fleet: Fleet, opened: Store, old: Path) -> None:
    database.import_file(fleet, opened, old)
    found = database.check(fleet, opened)
    assert found["integrity"] == "ok" and (found["samples"], found["nodes"]) == (5, 1)
    assert set(found) == {"integrity", "schema", "samples", "nodes", "oldest", "newest", "bytes"}
