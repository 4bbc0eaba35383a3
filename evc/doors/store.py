"""The fleet's database: opening it, its migrations, and transactions. The only user of apsw.

Queries stay SQL and live with the runbook that asks them; this module hides nothing of SQLite
but its settings.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from evc.pure.errors import EvcError

Row = dict[str, Any]
Values = Sequence[Any] | dict[str, Any]
BUSY_TIMEOUT_MS = 10_000
LOG_ATTEMPT_MS = 500
_UNWRITABLE = (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError,
               apsw.CantOpenError)  # fmt: skip
_DAMAGED = (apsw.NotADBError, apsw.CorruptError)
SIDES = ("", "-wal", "-shm")  # the files of a database


class StoreError(EvcError):
    """Nothing can be written now: the disk is full, or the file is not ours to write."""


class Damaged(EvcError):
    """The file is no database, or a damaged one."""

    def __init__(self, path: str, error: object) -> None:
        super().__init__(
            f"{path} is not a database, or a damaged one: {error}",
            "`evc db init` sets it aside, saves what it can and begins a new one; or bring a backup"
            " back: `evc restore FILE`",
        )


class Store:
    """One open database."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows of a query, each a dict by column name; raises Damaged."""
        cursor = self._connection.cursor()
        cursor.row_trace = _as_dict
        try:
            return list(cursor.execute(sql, values))
        except _DAMAGED as error:
            raise Damaged(self._connection.filename, error) from None

    def row(self, sql: str, values: Values = ()) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(self.rows(sql, values)), None)

    def write(self, sql: str, values: Values = ()) -> int:
        """Run one statement; the id of the row it inserted last."""
        self._connection.execute(sql, values)
        return self._connection.last_insert_rowid()

    def each(self, sql: str, values: Values = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one after the other, as they are."""
        yield from self._connection.execute(sql, values)

    def changes(self) -> int:
        """How many rows the last write inserted, changed or deleted."""
        return self._connection.changes()

    def write_all(self, sql: str, rows: Sequence[Values]) -> None:
        """Run one statement for each of `rows`, in one transaction."""
        with self.transaction():
            self._connection.executemany(sql, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen, or none; raises StoreError when the disk does not take them."""
        try:
            with self._connection:
                yield
        except _DAMAGED as error:
            raise Damaged(self._connection.filename, error) from None
        except _UNWRITABLE as error:
            raise StoreError(
                f"the database cannot be written: {error}", "make room, and see `evc db check`"
            ) from None

    def need_not_wait(self) -> None:
        """A commit may be lost in a power cut, whole: for what can be received again."""
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def need_whole(self) -> None:
        """Read all of it once; raises Damaged."""
        found = [row["quick_check"] for row in self.rows("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise Damaged(self._connection.filename, "; ".join(found)[:300])

    def shorten_log(self, seconds: float) -> bool:
        """Have the write-ahead log begin anew; False when readers are in the way for so long.

        Several short attempts: one may wait for a reader's slot that newer readers, who are not in
        the way, hand to each other without an end.
        """
        deadline = time.monotonic() + seconds
        while not (done := self._begin_log_anew()) and time.monotonic() < deadline:
            pass
        return done

    def _begin_log_anew(self) -> bool:
        self._connection.set_busy_timeout(LOG_ATTEMPT_MS)
        try:
            (busy, *_), *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except apsw.BusyError:
            busy = 1
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        return not busy

    def copy(self, path: Path) -> None:
        """The database as it is now, in a new file, whoever writes to it meanwhile."""
        self._connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def opened(path: Path, migrations: Path) -> Iterator[Store]:
    """The database at `path`, brought to the newest schema of `migrations`; closed at the end."""
    store = connect(path, migrations)
    try:
        yield store
    finally:
        store.close()


def connect(path: Path, migrations: Path) -> Store:
    """Open (and make, and migrate) the database; raises EvcError for one it must not touch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with contextlib.suppress(OSError):  # SQLite says what is wrong; itself it makes 0644
            path.touch(mode=0o666)
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _refuse_foreign(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        _refuse_triggers(connection, path, migrations)
        _migrate(connection, path, migrations)
    except _DAMAGED as error:
        raise Damaged(str(path), error) from None
    except (apsw.CantOpenError, apsw.ReadOnlyError) as error:
        raise EvcError(f"{path} cannot be written: {error}", "check its folder's owner") from None
    return Store(connection)


def _refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    tables = connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    if tables and not connection.pragma("user_version"):
        raise EvcError(
            f"{path} is somebody else's database",
            "is it the original's? Move it away, and `evc db import FILE` takes in what it holds",
        )


def _refuse_triggers(connection: apsw.Connection, path: Path, migrations: Path) -> None:
    """A trigger does what its author wants whenever EVC writes."""
    known = "".join(file.read_text(encoding="utf-8") for file in _files(migrations))
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
    others = sorted(name for name, sql in found if sql not in known)
    if others:
        raise EvcError(
            f"{path} has triggers that are not EVC's: {', '.join(others)[:300]}",
            "see what they do (`sqlite3 FILE .schema`), and `DROP TRIGGER` them",
        )


@contextlib.contextmanager
def foreign(path: Path) -> Iterator[Store]:
    """A database that is not EVC's, to be read only; raises EvcError when it cannot be."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
        try:
            yield Store(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise EvcError(f"{path} cannot be read as a database: {error}") from None


@contextlib.contextmanager
def reading(path: Path, migrations: Path) -> Iterator[Store]:
    """The database at `path` as it is, to be read only; raises EvcError when its schema is not
    the newest of `migrations`, or there is none."""
    if not path.exists() or not path.stat().st_size:
        raise EvcError(f"nothing is recorded yet: there is no {path}", "evc node add NAME ADDRESS")
    with foreign(path) as store:
        connection = store._connection
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _refuse_foreign(connection, path)
        _refuse_newer(connection, path, newest := _number(_files(migrations)[-1]))
        if connection.pragma("user_version") < newest:
            raise EvcError(f"{path} is of an older EVC", "`evc db check` brings it up to date")
        yield store


def _files(migrations: Path) -> list[Path]:
    return sorted(migrations.glob("[0-9]*.sql"))


def _refuse_newer(connection: apsw.Connection, path: Path, newest: int) -> None:
    version = connection.pragma("user_version")
    if version > newest:
        raise EvcError(
            f"{path} was written by a newer EVC (schema {version}, this one knows {newest})",
            "update EVC on this machine",
        )


def _migrate(connection: apsw.Connection, path: Path, migrations: Path) -> None:
    files = _files(migrations)
    version, newest = connection.pragma("user_version"), _number(files[-1])
    _refuse_newer(connection, path, newest)
    waiting = [file for file in files if _number(file) > version]
    if waiting and version:
        _refuse_while_logging(path)
        copy = path.with_suffix(f".before-{newest}-{int(time.time())}")
        connection.execute("VACUUM INTO ?", (str(copy),))
    for file in waiting:
        _apply(connection, file)


def _refuse_while_logging(path: Path) -> None:
    """An older logger writes what it takes for the schema; its lock is in the fleet folder."""
    lock = path.parent / "locks" / "logger.lock"
    if not lock.exists():
        return
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EvcError(
                f"a logger of an older EVC writes to {path}",
                "end it first, this EVC's changes the schema: `evc service remove`, or Ctrl-C",
            ) from None


def set_aside(path: Path) -> Path:
    """Rename a database that is damaged; its new name."""
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
    for side in SIDES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    return aside


def _apply(connection: apsw.Connection, file: Path) -> None:
    """One migration and its record in one transaction; another process may have been faster."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.pragma("user_version") < _number(file):
            connection.execute(file.read_text(encoding="utf-8"))
            connection.execute(f"PRAGMA user_version = {_number(file)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _number(file: Path) -> int:
    match = re.match(r"\d+", file.name)
    return int(match.group()) if match else 0


def _as_dict(cursor: apsw.Cursor, row: tuple[Any, ...]) -> Row:
    return dict(zip([column[0] for column in cursor.description], row, strict=True))
