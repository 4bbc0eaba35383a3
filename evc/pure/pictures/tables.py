"""A table of whatever there is; each column in its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evc.pure.panels import Panel
from evc.pure.pictures import words

LEVELS = {"up": "good", "serving": "good", "done": "good", "down": "bad", "failed": "bad",
          "pending": "warning", "partial": "warning", "unknown": "unknown"}  # fmt: skip


def draw(panel: Panel, rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(rows[0])
    head = "".join(f"<th>{words.text(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(_row(panel, columns, row) for row in rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead>{body}</table></div>'


def _row(panel: Panel, columns: Sequence[str], row: Mapping[str, object]) -> str:
    return "<tr>" + "".join(_cell(panel, name, row[name]) for name in columns) + "</tr>"


def _cell(panel: Panel, name: str, value: object) -> str:
    if value is None:
        return "<td></td>"
    said = words.text(words.shown(value, panel.columns.get(name, "")))
    if name in ("state", "outcome") and str(value) in LEVELS:
        return f'<td><b class="{LEVELS[str(value)]}">{said}</b></td>'
    if isinstance(value, int | float) and panel.columns.get(name) != "time":
        return f'<td class="figure">{said}</td>'
    return f'<td title="{said}">{said}</td>'
