"""Values as people read them, and text as HTML takes it."""

from __future__ import annotations

import html
from datetime import datetime

from evc.pure.names import printable
from evc.pure.panels import Unit
from evc.pure.watching import span

LONGEST = 300
_SUFFIX = {"percent": " %", "celsius": " °C", "ms": " ms"}


def text(value: object) -> str:
    """A text for HTML and its attributes: nothing in it is markup, and it ends somewhere."""
    whole = printable(str(value))
    return html.escape(whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…")


def shown(value: object, unit: Unit = "") -> str:
    """A value with its unit; what is not known is a dash."""
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    if unit in ("bytes", "bytes/s"):
        return _bytes(value) + ("/s" if unit == "bytes/s" else "")
    if unit == "age":
        return span(value)
    if unit == "time":
        return moment(value)
    return _figure(value) + _SUFFIX.get(unit, "")


def moment(epoch: float, form: str = "%Y-%m-%d %H:%M:%S %Z") -> str:
    """Epoch seconds as local time, with its zone."""
    return datetime.fromtimestamp(epoch).astimezone().strftime(form)


def _figure(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def _bytes(value: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.4g} B"
