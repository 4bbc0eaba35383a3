"""The fleet's database as a whole: whether it is well, what goes from it, what is taken in."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet, replace
from evc.doors.store import Store
from evc.pure import original
from evc.pure.clocks import Moment
from evc.pure.errors import EvcError
from evc.pure.samples import FIGURES, Sample
from evc.runbooks.logger.record import Received, Recorder

BATCH, MAX_SAME = 2000, 8
# What no node can tell again, in an order that keeps references whole.
_SAVED = ("node", "membership", "label", "place", "saved_selector", "setting", "release",
          "release_image", "deployment", "assignment", "rendezvous", "enrolment", "audit",
          "geocode")  # fmt: skip
_WRITE = {
    "modelpred": ("prediction", "time, node, class, probability", ", model, release", ", '', ''"),
    "input_image": ("prediction_input", "time, node, image", "", ""),
    "dstrb_progress": ("progress", "time, node, status", "", ""),
}


def check(fleet: Fleet, store: Store) -> dict[str, Any]:
    """The document of `evc db check`; `integrity` is `ok` or what is wrong."""
    found = [row["integrity_check"] for row in store.rows("PRAGMA integrity_check(20)")]
    schema = store.row("PRAGMA user_version") or {}
    figures = store.row(
        "SELECT count(*) AS samples, count(DISTINCT node_id) AS nodes,"
        " min(time) AS oldest, max(time) AS newest FROM sample"
    )
    files = [fleet.database, fleet.database.with_name(fleet.database.name + "-wal")]
    return {
        "integrity": "; ".join(found),
        "schema": schema.get("user_version"),
        **(figures or {}),
        "bytes": sum(file.stat().st_size for file in files if file.exists()),
    }


def begin_anew(fleet: Fleet) -> tuple[Path, int]:
    """Set a damaged database aside and begin a new one with the inventory that can be read of it.

    Where the old one lies now, and how many nodes were saved. Nodes' rings give samples again.
    """
    draft = fleet.database.with_name(".anew.db3")  # whole before anybody sees it
    for side in stores.SIDES:
        draft.with_name(draft.name + side).unlink(missing_ok=True)
    with stores.opened(draft, fleets.share() / "db") as store:
        for table in _SAVED:
            with contextlib.suppress(EvcError), stores.foreign(fleet.database) as other:
                _save(other, store, table)
        saved = _count(store, "node")
    aside = stores.set_aside(fleet.database)
    draft.rename(fleet.database)
    return aside, saved


def _save(other: Store, store: Store, table: str) -> None:
    """Copy rows of a table, up to the first that cannot be read; what is there already stays."""
    names = [str(row["name"]) for row in store.rows(f"PRAGMA table_info({table})")]
    there = {row["name"] for row in other.rows(f"PRAGMA table_info({table})")}
    columns = [name for name in names if name in there]
    marks, listed = ", ".join("?" * len(columns)), ", ".join(columns)
    for row in other.each(f"SELECT {listed} FROM {table}"):
        store.write(f"INSERT OR IGNORE INTO {table} ({listed}) VALUES ({marks})", row)


def import_file(fleet: Fleet, store: Store, path: Path) -> dict[str, Any]:
    """Take in an original database; by table how many rows were stored, there already, refused.

    Twice is the same as once. Refused rows go into a file beside the database, with the reason.
    """
    refused: list[dict[str, Any]] = []
    tables: dict[str, dict[str, int]] = {}
    with stores.foreign(path) as other:
        there = {row["name"] for row in other.rows("SELECT name FROM sqlite_schema")}
        for index, table in enumerate([*original.FIGURES, *original.EVENTS]):
            if table in there:
                rows = _Rows(other, table, refused)
                done = _figures if table in original.FIGURES else _events
                stored = done(store, table, index, rows)
                tables[table] = {
                    "stored": stored,
                    "there": rows.good - stored,
                    "refused": rows.bad,
                }
    return {"tables": tables, "report": _report(fleet, refused)}


class _Rows:
    """The rows of a table that can be taken in; the others are noted with the reason."""

    def __init__(self, other: Store, table: str, refused: list[dict[str, Any]]) -> None:
        self.good = self.bad = 0
        self._other, self._table, self._refused = other, table, refused

    def __iter__(self) -> Iterator[Any]:
        columns = ", ".join(f'"{name}"' for name in original.columns(self._table))
        read = original.figures if self._table in original.FIGURES else original.event
        for rowid, *row in self._other.each(f"SELECT rowid, {columns} FROM {self._table}"):
            try:
                found = read(self._table, row)
            except ValueError as error:
                self.bad += 1
                self._refused.append({"table": self._table, "row": rowid, "reason": str(error)})
                continue
            self.good += 1
            yield found


def _figures(store: Store, table: str, index: int, rows: Iterable[original.Figures]) -> int:
    """Each row as a sample of its own, of the boot `imported`; how many were new."""
    recorder, same = Recorder(store), Counter[tuple[str, float]]()
    before = _count(store, "sample")
    found = (_received(one, index, same) for one in rows)
    while batch := list(islice(found, BATCH)):
        recorder.write(batch)
    return _count(store, "sample") - before


def _received(one: original.Figures, index: int, same: Counter[tuple[str, float]]) -> Received:
    """The number tells tables apart, and rows of one second: a second import finds it taken."""
    key = (one.name, one.time)
    number = index * MAX_SAME + same[key] % MAX_SAME
    same[key] += 1
    figures = {name: one.values.get(name) for name in FIGURES}
    sample = Sample(number, "imported", 0.0, one.time, figures, "{}")
    return Received(one.name, None, sample, Moment(one.time, True), Counter())


def _events(store: Store, table: str, _index: int, rows: Iterable[tuple[Any, ...]]) -> int:
    """Each row as often as it is there, less what the store has of it; how many were new."""
    name, columns, more, values = _WRITE[table]
    same = " AND ".join(f"{column} = ?" for column in columns.split(", "))
    marks = ", ".join("?" * len(columns.split(", ")))
    insert = f"INSERT INTO {name} ({columns}{more}) VALUES ({marks}{values})"
    new = 0
    with store.transaction():
        for row, count in Counter(rows).items():
            (held,) = next(store.each(f"SELECT count(*) FROM {name} WHERE {same}", row))
            for _ in range(count - held):
                store.write(insert, row)
                new += 1
    return new


def _count(store: Store, table: str) -> int:
    return int(next(store.each(f"SELECT count(*) FROM {table}"))[0])


def _report(fleet: Fleet, refused: list[dict[str, Any]]) -> str:
    """The path of the file with the refused rows, '' when there were none."""
    if not refused:
        return ""
    path = fleet.database.parent / time.strftime("import-%Y%m%d-%H%M%S.json")
    replace(path, json.dumps(refused, ensure_ascii=False, indent=1))
    return str(path)
