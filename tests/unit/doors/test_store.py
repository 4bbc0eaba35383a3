"""The database: migrations, the original's tables as views, what it must not touch."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from evc.doors import store
from evc.pure.errors import EvcError

MIGRATIONS = Path(__file__).parents[3] / "db"
NEWEST = max(int(file.name[:4]) for file in MIGRATIONS.glob("[0-9]*.sql"))

# Table → columns, as the original's dashboards ask for them.
ORIGINAL = {
    "nodes": "time, affiliation, name, ip, port, type, owner, hw, os, gpu",
    "location": "name, address, latitude, longitude",
    "cpuinfo": "time, name, cpuratio",
    "meminfo": "time, name, memratio",
    "strginfo": "time, name, inuse, capacity",
    "time_temp": "time, name, temperature",
    "traffic": "time, name, rx_bps, tx_bps",
    "modelpred": "time, name, class, probability",
    "input_image": "time, name_node, name_img",
    "model_list": "name, tag",
    "model_desc": 'node, tag, "desc"',
    "dstrb_progress": "time, name, status",
    "modelinfo_detail": "time, owner_name, repo, model_name, size_GB, task, version",
}


def _with_a_node(path: Path) -> None:
    with store.opened(path, MIGRATIONS) as opened:
        for number in (1, 2):
            opened.write(
                "INSERT INTO node (name, address, port, added_at) VALUES (?, '192.0.2.1', ?, 5)",
                (f"n{number}", number),
            )
            opened.write(
                "INSERT INTO prediction (time, node, model, release, class, probability)"
                " VALUES (?, 'n1', 'm', 'r', 'face', 0.5)",
                (number,),
            )


@pytest.mark.parametrize("table", sorted(ORIGINAL))
def test_the_originals_queries_answer(tmp_path: Path, table: str) -> None:
    """By another SQLite than ours, as Grafana and Datasette read it."""
    _with_a_node(tmp_path / "e.db3")
    reader = sqlite3.connect(tmp_path / "e.db3")
    reader.execute(f"SELECT {ORIGINAL[table]} FROM {table} ORDER BY ROWID DESC LIMIT 1").fetchall()
    reader.close()


def test_order_by_rowid_gives_the_newest(tmp_path: Path) -> None:
    _with_a_node(tmp_path / "e.db3")
    reader = sqlite3.connect(tmp_path / "e.db3")
    newest = reader.execute(
        "SELECT time FROM modelpred WHERE name='n1' ORDER BY ROWID DESC LIMIT 1"
    ).fetchone()
    assert newest == (2.0,)
    kinds = reader.execute("SELECT DISTINCT type FROM nodes").fetchall()
    assert kinds == [("user",)]
    reader.close()


def test_a_digest_is_never_replaced(tmp_path: Path) -> None:
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as opened:
        opened.write(
            "INSERT INTO release (id, model, version, hash, source, config, built_at)"
            " VALUES (1, 'm', '1', 'h', '', '{}', 0)"
        )
        opened.write(
            "INSERT INTO release_image VALUES (1, 'amd64', 'r', 't', 'sha256:a', 1, 'b', 0, '')"
        )
        with pytest.raises(Exception, match="never replaced"):
            opened.write("UPDATE release_image SET digest = 'sha256:b'")


def test_a_failing_migration_leaves_nothing_of_itself(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in MIGRATIONS.glob("[0-9]*.sql"):
        shutil.copy(file, folder)
    _with_a_node(tmp_path / "e.db3")
    (folder / "9999_bad.sql").write_text(
        "CREATE TABLE half (a INTEGER); SELECT no_such_function();"
    )
    with pytest.raises(Exception, match="no_such_function"):
        store.connect(tmp_path / "e.db3", folder)
    reader = sqlite3.connect(tmp_path / "e.db3")
    assert reader.execute("PRAGMA user_version").fetchone() == (NEWEST,)
    assert not reader.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall()
    reader.close()
    assert len(list(tmp_path.glob("e.before-9999-*"))) == 1, "the copy that was made before"


def test_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    _with_a_node(tmp_path / "e.db3")
    writer = sqlite3.connect(tmp_path / "e.db3")
    writer.execute("PRAGMA user_version = 99")
    writer.close()
    before = (tmp_path / "e.db3").read_bytes()
    with pytest.raises(EvcError, match="newer EVC"):
        store.connect(tmp_path / "e.db3", MIGRATIONS)
    assert (tmp_path / "e.db3").read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e.db3").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(EvcError, match="is not a database"):
        store.connect(tmp_path / "e.db3", MIGRATIONS)


def _grow(opened: store.Store) -> None:
    """About 4 MB of write-ahead log."""
    with opened.transaction():
        opened.write(
            "INSERT OR REPLACE INTO audit VALUES (1, 0, '', ?, '', '')", ("x" * 4_000_000,)
        )


def test_the_log_stays_small_under_readers_without_an_end(tmp_path: Path) -> None:
    """One always reads, each its own while; without `shorten_log` it only grows."""
    log, stop = tmp_path / "e.db3-wal", threading.Event()

    def read() -> None:
        with store.opened(tmp_path / "e.db3", MIGRATIONS) as reader:
            while not stop.is_set():
                rows = reader.each("SELECT id, name FROM audit, sqlite_schema")
                next(rows)
                stop.wait(0.05)
                for _ in rows:
                    pass

    with store.opened(tmp_path / "e.db3", MIGRATIONS) as opened:
        _grow(opened)
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
            stop.wait(0.02)
        try:
            for _ in range(5):
                _grow(opened)
            assert log.stat().st_size > 8_000_000
            assert opened.shorten_log(5.0)
            assert log.stat().st_size == 0
        finally:
            stop.set()
            for reader in readers:
                reader.join()
        with store.opened(tmp_path / "e.db3", MIGRATIONS) as reader:
            reader.write("BEGIN")
            reader.rows("SELECT * FROM audit")
            _grow(opened)
            assert not opened.shorten_log(0.1)  # it holds on: said, and nobody waits for it
            _grow(opened)
        assert opened.shorten_log(1.0)


def test_a_migration_is_refused_while_an_older_logger_runs(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in MIGRATIONS.glob("[0-9]*.sql"):
        shutil.copy(file, folder)
    _with_a_node(tmp_path / "e.db3")
    (folder / "9999_newer.sql").write_text("CREATE TABLE newer (a INTEGER) STRICT;")
    lock = tmp_path / "locks" / "logger.lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EvcError, match="a logger of an older EVC"):
            store.connect(tmp_path / "e.db3", folder)
        store.connect(tmp_path / "e.db3", MIGRATIONS).close()  # nothing to change: it may be read
    with store.opened(tmp_path / "e.db3", folder) as opened:
        assert opened.rows("PRAGMA user_version") == [{"user_version": 9999}]
