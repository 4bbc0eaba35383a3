"""A damaged database: refused untouched, or by the logger set aside, and a new one begun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.runbooks.init import init
from tests.checker import missing_and_double, ring_lines
from tests.unit.runbooks.test_logger import NODE, Controller, until


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    found = Controller(init(tmp_path / "fleet"))
    yield found
    found.end()


def test_damaged_while_it_is_written_the_logger_goes_on_with_a_new_one(
    controller: Controller,
) -> None:
    controller.sampler()
    logger = controller.logger()
    until(lambda: controller.stored() > 100)
    with controller.opened() as opened:
        opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = opened.rows("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'sample'")
    database = controller.fleet.database
    with database.open("r+b") as file:
        for row in pages:
            if row["rootpage"]:
                os.pwrite(file.fileno(), os.urandom(4096), (row["rootpage"] - 1) * 4096)
    until(lambda: list(database.parent.glob("*.corrupt-*")))
    before = ring_lines(controller.ring)
    until(lambda: controller.stored() > len(before))
    logger.terminate()
    _, said = logger.communicate(timeout=10)
    assert logger.returncode == 0
    assert "damaged" in said and "A new one begins, with 1 nodes of the old" in said
    with controller.opened() as opened:
        assert missing_and_double(opened, NODE, before) == ([], [])


@pytest.mark.parametrize("damage", ["random bytes", "cut short", "empty"])
def test_found_damaged(controller: Controller, damage: str) -> None:
    database = controller.fleet.database
    with controller.opened() as opened:
        opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    size = database.stat().st_size
    if damage == "random bytes":
        database.write_bytes(os.urandom(size))
    else:
        os.truncate(database, size // 2 // 4096 * 4096 if damage == "cut short" else 0)
    held = database.read_bytes()
    done = controller.evc("node", "list")
    assert (done.returncode == 1) is (damage != "empty") and "Traceback" not in done.stderr
    if damage == "empty":
        return  # SQLite's own word for a new one
    assert "evc db init" in done.stderr and database.read_bytes() == held
    done = controller.evc("db", "init")
    assert done.returncode == 0 and "Set aside as" in done.stderr
    (aside,) = database.parent.glob("*.corrupt-*[0-9]")
    assert aside.read_bytes() == held
    assert controller.evc("db", "check").returncode == 0
