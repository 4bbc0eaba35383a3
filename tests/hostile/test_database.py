"""A damaged database: refused untouched, or by the logger set aside, and a new one begun."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import system
from evc.runbooks.init import init
from tests.checker import missing_and_double, ring_lines
from tests.unit.runbooks.test_logger import NODE, Controller, max_seq, until


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    found = Controller(init(tmp_path / "fleet"))
    yield found
    found.close()


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


@pytest.mark.parametrize("words", [["node", "list"], ["logger", "--once"]], ids=" ".join)
def test_in_a_folder_that_is_read_only(controller: Controller, words: list[str]) -> None:
    with controller.opened() as opened:
        opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    database = controller.fleet.database
    held, folder = database.read_bytes(), str(database.parent)
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, folder, sys.executable]
    command += ["-m", "evc", "-C", str(controller.fleet.root), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "cannot be written" in done.stderr and "its folder" in done.stderr
    assert database.read_bytes() == held


TRIGGER = """
CREATE TRIGGER {} AFTER INSERT ON sample BEGIN DELETE FROM sample WHERE id <> new.id; END
"""


@pytest.mark.parametrize("name", ["thief", "metric_by_hour"])
def test_somebody_elses_trigger(controller: Controller, name: str) -> None:
    with controller.opened() as opened:
        opened.write(f"DROP TRIGGER IF EXISTS {name}")
        opened.write(TRIGGER.format(name))
        opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    held = controller.fleet.database.read_bytes()
    done = controller.evc("logger", "--once")
    assert done.returncode == 1 and f"triggers that are not EVC's: {name}" in done.stderr
    assert "DROP TRIGGER" in done.stderr
    assert controller.fleet.database.read_bytes() == held


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of its own over `folder`."""
    sudo, options = system._sudo(), f"size={megabytes}m,uid={os.getuid()},mode=700"
    subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([*sudo, "umount", "-l", folder], check=True)


def test_a_full_disk_bounds_the_queue_and_costs_nothing(tmp_path: Path) -> None:
    fleet = init(tmp_path / "fleet")
    fleet.database.parent.mkdir(exist_ok=True)
    with small_disk(fleet.database.parent, 6), contextlib.closing(Controller(fleet)) as controller:
        (tmp_path / "ring").mkdir()
        controller.ring.symlink_to(tmp_path / "ring")  # the node's disk is another
        controller.sampler("0.005")
        logger = controller.hasty(QUEUE_LINES=50, BATCH_LINES=25, FULL_SECONDS=3.0)
        until(lambda: controller.stored() > 20)
        filler = fleet.database.with_name("filler")
        fill(filler)
        assert logger.stderr
        lines = iter(logger.stderr.readline, "")
        assert any("cannot store" in line and "is full" in line for line in lines)
        until(lambda: read_in_a_second(logger.pid) < 20_000)  # of 150,000 that there are to read
        filler.unlink()
        before = ring_lines(controller.ring)
        until(lambda: max_seq(controller) >= max(seq for _, seq in before))
        with controller.opened() as opened:
            assert missing_and_double(opened, NODE, before) == ([], [])
            assert opened.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert logger.poll() is None


def fill(file: Path) -> None:
    """Until the disk has no room for another byte."""
    with file.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def read_in_a_second(process: int) -> int:
    """Bytes that a process reads (proc_pid_io(5))."""

    def so_far() -> int:
        return int(Path(f"/proc/{process}/io").read_text().split()[1])

    before = so_far()
    threading.Event().wait(1.0)
    return so_far() - before
