"""What a picture is: its question in SQL, and how the answer is shown; nobody's format yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "lines", "bars", "timeline", "table", "map"]
# `share` is 0 to 1, `time` epoch seconds, `age` seconds.
Unit = Literal["", "percent", "share", "bytes", "bytes/s", "celsius", "ms", "time", "age"]
Level = Literal["good", "warning", "bad", "unknown"]

FULL_WIDTH = 24


@dataclass(frozen=True)
class Threshold:
    """From `above` on (or at it) a value is of this level; below the first one it is good."""

    above: float
    level: Level


def level(thresholds: Sequence[Threshold], value: object) -> Level | None:
    """Of the highest threshold that a value has reached; None where there is none to reach."""
    if not thresholds or not isinstance(value, int | float):
        return None
    reached = [one.level for one in thresholds if value >= one.above]
    return reached[-1] if reached else "good"


@dataclass(frozen=True)
class State:
    """What a number of a timeline, map or number means."""

    text: str
    level: Level


@dataclass(frozen=True)
class Panel:
    """One picture. `key` is unique among all; `columns` are the units of a table's columns.

    What the columns of `sql` are, by kind:
    - number: one row with `value`
    - lines, bars: `time`, `series`, `value`, by time; a NULL is a gap
    - timeline: the same, and `value` lasts until the next row of its series; NULL: nobody knows
    - map: `latitude`, `longitude`, `node`, `title`, `label`, `value`, and what a click shows
    - table: whatever there is
    """

    key: str
    title: str
    kind: Kind
    sql: str
    unit: Unit = ""
    thresholds: tuple[Threshold, ...] = ()
    states: Mapping[int, State] = field(default_factory=dict)
    columns: Mapping[str, Unit] = field(default_factory=dict)
    most: float | None = None
    width: int = 12
    height: int = 8

    def state(self, value: object) -> State | None:
        """What a value of the panel means, where it means a state."""
        return next((one for number, one in self.states.items() if number == value), None)


@dataclass(frozen=True)
class Variable:
    """What can be chosen: `sql` gives `value` and `text`; `many`: several or all at once."""

    name: str
    title: str
    sql: str
    many: bool = True


@dataclass(frozen=True)
class Dashboard:
    """Panels, from left to right and top to bottom, and what is chosen for all of them.

    `seconds` is how far back it looks at first.
    """

    key: str
    title: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    seconds: int = 3600
