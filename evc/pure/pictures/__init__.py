"""Panels drawn as HTML and inline SVG: for the pages and the report, without a script.

What is drawn was written by nodes, models and people, so every text goes through `words.text`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evc.pure.panels import Panel
from evc.pure.pictures import bars, lines, maps, numbers, tables, timelines
from evc.pure.pictures.maps import Outline

Row = Mapping[str, object]


@dataclass(frozen=True)
class Answer:
    """What a panel's SQL gave for a range, in epoch seconds."""

    rows: Sequence[Row]
    since: float
    until: float


def draw(panel: Panel, answer: Answer, outline: Outline) -> str:
    """The picture as a fragment of HTML."""
    if not answer.rows and panel.kind != "map":
        return '<p class="nothing">nothing recorded</p>'
    kinds: dict[str, Callable[[], str]] = {
        "number": lambda: numbers.draw(panel, answer.rows[0].get("value")),
        "lines": lambda: lines.draw(panel, _points(answer), answer.since, answer.until),
        "bars": lambda: bars.draw(panel, _points(answer), answer.since, answer.until),
        "timeline": lambda: timelines.draw(panel, _points(answer), answer.since, answer.until),
        "table": lambda: tables.draw(panel, answer.rows),
        "map": lambda: maps.draw(panel, answer.rows, outline),
    }
    return kinds[panel.kind]()


def _points(answer: Answer) -> list[tuple[float, str, float | None]]:
    return [
        (_number(row["time"]) or 0.0, str(row["series"]), _number(row["value"]))
        for row in answer.rows
    ]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
