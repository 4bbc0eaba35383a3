"""Dashboards asked of the fleet's database, and drawn: what the pages and the report show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evc.doors.drawing import outline
from evc.pure import pictures
from evc.pure.panels import Dashboard, Panel, Variable
from evc.pure.panels.rendering import bound
from evc.pure.pictures import Answer, pages
from evc.pure.pictures.choices import Choice, Range

Ask = Callable[[str, dict[str, Any]], Sequence[Mapping[str, Any]]]
Wanted = Mapping[str, Sequence[str]]


def choices(ask: Ask, dashboard: Dashboard, wanted: Wanted, span: Range) -> list[Choice]:
    """What each variable of a dashboard offers, and what is chosen of it.

    Nothing wanted, or nothing that there is, means all; of a variable that takes one, the first.
    """
    found: list[Choice] = []
    for variable in dashboard.variables:
        sql, values = bound(variable.sql, span.since, span.until, chosen(found))
        offered = {str(row["value"]): str(row["text"]) for row in ask(sql, values)}
        found.append(_choice(variable, offered, wanted.get(variable.name, ())))
    return found


def chosen(made: Sequence[Choice]) -> dict[str, list[str]]:
    """Variable → its chosen values."""
    return {one.variable.name: list(one.chosen) for one in made}


def picture(ask: Ask, panel: Panel, wanted: Wanted, span: Range) -> str:
    """A panel as HTML; `wanted` says all that its variables stand for.

    Nodes send what is drawn: where that goes wrong, one picture is missing and not all of them.
    """
    rows = ask(*bound(panel.sql, span.since, span.until, wanted))
    try:
        return pictures.draw(panel, Answer(rows, span.since, span.until), outline())
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        what = f"this cannot be drawn ({type(error).__name__}: {error})"
        return pages.problem(what, "its rows: `evc dashboard serve`, and SQL beside its title")


def _choice(variable: Variable, offered: Mapping[str, str], wanted: Sequence[str]) -> Choice:
    some = [value for value in wanted if value in offered]
    if variable.many:
        return Choice(variable, offered, tuple(some or offered), bool(some))
    return Choice(variable, offered, tuple(some[:1] or list(offered)[:1]), bool(some))
