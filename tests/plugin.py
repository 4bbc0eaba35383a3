"""What Grafana and its SQLite plugin (frser-sqlite-datasource 4.0.3) do with a query, rule by rule.

Read in their source (`pkg/plugin/query.go`, `macros.go`, `src/DataSource.ts`), since no Grafana
server could be had here; `evc dashboard grafana check` asks a real one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from evc.pure.grafana.source import Source, target, variable_query
from evc.pure.panels import Panel, Variable

INTEGERS, FLOATS, TEXTS = ("INTEGER", "INT"), ("REAL", "NUMERIC", "DOUBLE", "FLOAT"), ("TEXT",)
KINDS = {int: "INTEGER", float: "FLOAT", str: "STRING", bytes: "STRING"}


@dataclass(frozen=True)
class Frame:
    """Columns by name: each its type and its values."""

    types: Mapping[str, str]
    columns: Mapping[str, Sequence[Any]]


def interpolated(text: str, since: float, until: float, chosen: Mapping[str, Sequence[str]]) -> str:
    """What Grafana's browser sends: `sqlstring` doubles quotes, times are milliseconds."""

    def quoted(found: re.Match[str]) -> str:
        return ",".join("'" + one.replace("'", "''") + "'" for one in chosen[found[1]])

    text = re.sub(r"\$\{(\w+):sqlstring\}", quoted, text)
    text = text.replace("$__from", str(int(since * 1000))).replace("$__to", str(int(until * 1000)))
    # Other than the `$` of a path in JSON.
    assert not re.search(r"\$\w|\$\{|\[\[", text), "a variable that nobody replaces"
    return text


def asked(
    path: Path,
    one: Panel | Variable,
    span: tuple[float, float],
    chosen: Mapping[str, Sequence[str]],
) -> Frame:
    """What a panel's query gives; a variable is asked as a table, as `metricFindQuery` does."""
    if isinstance(one, Panel):
        query = target(one, Source("0123456789ab"))
    else:
        query = {"queryType": "table", "rawQueryText": variable_query(one), "timeColumns": []}
    return ask(path, query, interpolated(query["rawQueryText"], *span, chosen))


def ask(path: Path, target: Mapping[str, Any], text: str) -> Frame:
    """The frame of a query; raises AssertionError where the plugin fails, or spoils a value."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.execute("PRAGMA query_only(1)")
        connection.execute("PRAGMA busy_timeout(5000)")
        described: list[tuple[str, str | None]] = []
        connection.exec_trace = lambda cursor, *_: not described.extend(cursor.get_description())
        rows = list(connection.execute(text))
    finally:
        connection.close()
    return _frame(target, described, rows)


def _frame(
    target: Mapping[str, Any], described: Sequence[tuple[str, str | None]], rows: Sequence[Any]
) -> Frame:
    names = [name for name, _ in described]
    assert len(set(names)) == len(names), "two columns of one name"
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    types = {
        name: "TIME" if name in target["timeColumns"] else _type(declared, columns[name])
        for name, declared in described
    }
    for name, kind in types.items():
        _whole(name, kind, columns[name])
    if target["queryType"] == "time series":
        _series(types, columns)
    return Frame(types, columns)


def _type(declared: str | None, values: Sequence[Any]) -> str:
    """By the column's declaration, else by its first value that is not NULL."""
    word = (declared or "").upper()
    if word in INTEGERS:
        return "INTEGER"
    if word in FLOATS:
        return "FLOAT"
    if word in TEXTS:
        return "STRING"
    return next((KINDS[type(one)] for one in values if one is not None), "UNKNOWN")


def _whole(name: str, kind: str, values: Sequence[Any]) -> None:
    """No value is cut or turned into NULL or text by its column's type."""
    fits = {"TIME": (int, float), "INTEGER": (int,), "FLOAT": (int, float), "STRING": (str,)}
    for one in values:
        assert one is None or isinstance(one, fits.get(kind, ())), f"{name} ({kind}): {one!r}"


def _series(types: Mapping[str, str], columns: Mapping[str, Sequence[Any]]) -> None:
    """Long to wide: one time, ascending, never NULL; numbers; texts as labels."""
    (time,) = [name for name, kind in types.items() if kind == "TIME"]
    assert None not in columns[time], "no NULL time"
    assert list(columns[time]) == sorted(columns[time]), "times ascend"
    numbers = [name for name, kind in types.items() if kind in ("INTEGER", "FLOAT", "UNKNOWN")]
    assert "value" in numbers
