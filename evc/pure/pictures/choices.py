"""What is chosen for a dashboard: its range of time, and the values of its variables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from evc.pure.errors import BadInput
from evc.pure.panels import Dashboard, Variable

# Seconds back from now → how that is called.
LENGTHS = {900: "15 min", 3600: "1 h", 6 * 3600: "6 h", 86400: "24 h", 7 * 86400: "7 d",
           30 * 86400: "30 d"}  # fmt: skip
_AGO, _UNITS = re.compile(r"(\d{1,5})([dhm])"), {"d": 86400, "h": 3600, "m": 60}
LONGEST = 10 * 366 * 86400.0


@dataclass(frozen=True)
class Range:
    """From `since` up to `until`, epoch seconds; `last`: it ends now and moves on with it."""

    since: float
    until: float
    last: bool = True

    @property
    def seconds(self) -> int:
        return round(self.until - self.since)


@dataclass(frozen=True)
class Choice:
    """A variable, what it offers (value → text) and what is chosen; `some`: not simply all."""

    variable: Variable
    offered: Mapping[str, str]
    chosen: tuple[str, ...]
    some: bool


def asked(dashboard: Dashboard, query: Mapping[str, Sequence[str]], now: float) -> Range:
    """The range of a request, `last=SECONDS` or `from=…&to=…`; raises BadInput."""
    if "from" in query or "to" in query:
        until = _seconds(query.get("to", [str(now)])[0])
        found = Range(_seconds(query.get("from", [str(until - 3600)])[0]), until, False)
    else:
        last = _seconds(query.get("last", [str(dashboard.seconds)])[0])
        found = Range(now - last, now)
    if not 1 <= found.until - found.since <= LONGEST:
        raise BadInput("a range of time ends after it begins, and is ten years at most")
    return found


def since(text: str, now: float) -> Range:
    """The range from `7d`, `24h`, `90m` ago, or from a date on, until now; raises BadInput."""
    if found := _AGO.fullmatch(text):
        begin = now - int(found[1]) * _UNITS[found[2]]
    else:
        try:
            begin = datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise BadInput(f"{text[:40]!r} is neither 7d, 24h, 90m nor a date") from None
    if not 1 <= now - begin <= LONGEST:
        raise BadInput(f"{text} is not in the past, or more than ten years ago")
    return Range(begin, now)


def _seconds(text: str) -> float:
    try:
        value = float(text[:40])
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e11:
        raise BadInput(f"{text[:40]!r} is not a number of seconds")
    return value
