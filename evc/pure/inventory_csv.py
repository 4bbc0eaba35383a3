"""Lists of machines as CSV, as spreadsheets write them: the first row names the columns."""

from __future__ import annotations

import csv
import difflib
import re

from evc.pure.errors import Problem
from evc.pure.inventory_tree import MAX_HOSTS, Raw

COLUMNS = (
    "name", "address", "port", "user", "key", "jump", "groups", "labels", "title",
    "latitude", "longitude", "place", "sudo_file", "roles",
)  # fmt: skip


def read(text: str, file: str) -> tuple[list[Raw], list[Problem]]:
    """What the rows say, and what is wrong with their form."""
    rows, problems = _rows(text, file)
    if not rows:
        return [], problems or [Problem(file, 1, "-", "is empty", f"columns: {','.join(COLUMNS)}")]
    line, header = rows[0]
    header = [name.strip().lower() for name in header]
    problems += _header(header, line, file)
    raws: list[Raw] = []
    for number, row in rows[1:]:
        if any(cell.strip() for cell in row):
            if len(row) != len(header):
                said = f"{len(row)} cells under {len(header)} columns"
                problems.append(Problem(file, number, row[0][:80] or "-", said))
            raws.append(_raw(dict(zip(header, row, strict=False)), number))
    return raws, problems


def _rows(text: str, file: str) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """The rows with the line that each ends on."""
    lines = [line + "\n" for line in text.removeprefix("\ufeff").split("\n")]
    comma = ";" if ";" in lines[0] and "," not in lines[0] else ","
    reader, rows = csv.reader(lines, delimiter=comma, strict=True), []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
            if len(rows) > MAX_HOSTS + 1:
                return rows, [Problem(file, reader.line_num, "-", f"more than {MAX_HOSTS:,} rows")]
    except csv.Error as error:
        return rows, [Problem(file, reader.line_num, "-", f"not CSV: {error}")]
    return rows, []


def _header(header: list[str], line: int, file: str) -> list[Problem]:
    problems = []
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"columns: {','.join(COLUMNS)}"
            if "pass" in name:
                remedy = "no passwords here: `--sudo-file FILE` has lines `NAME: PASSWORD`"
            problems.append(Problem(file, line, name[:80] or "-", "unknown column", remedy))
        if header.count(name) > 1:
            problems.append(Problem(file, line, name[:80], "column given twice"))
    if "name" not in header:
        problems.append(Problem(file, line, "name", "there is no such column"))
    return problems


def _raw(row: dict[str, str], line: int) -> Raw:
    """One row; an empty cell says nothing."""
    values: dict[str, object] = {
        key: cell.strip() for key, cell in row.items() if cell.strip() and key in COLUMNS
    }
    name = str(values.setdefault("name", ""))
    places = {key: (line, f"{name[:80] or '-'}.{key}") for key in COLUMNS}
    for key in ("groups", "roles"):
        if key in values:
            values[key] = [one for one in re.split(r"[\s,;|+]+", str(values[key])) if one]
    return Raw(name, line, values, places)
