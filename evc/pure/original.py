"""Rows of the original's database, whose values are text and in part garbage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from evc.pure import names

GB = 1e9
EARLIEST, LATEST = 946_684_800.0, 4_102_444_800.0  # 2000 to 2100
# Table → the figure of each of its columns behind time and name, the most it can be, its unit.
FIGURES: Mapping[str, Mapping[str, tuple[str, float, float]]] = {
    "cpuinfo": {"cpuratio": ("idle", 100.0, 1.0)},
    "meminfo": {"memratio": ("memory_used", 100.0, 1.0)},
    "strginfo": {"inuse": ("disk_used", 1e9, GB), "capacity": ("disk_available", 1e9, GB)},
    "time_temp": {"temperature": ("temperature", 1000.0, 1.0)},
    "traffic": {"rx_bps": ("rx", 1e15, 1.0), "tx_bps": ("tx", 1e15, 1.0)},
}
# Table → its columns; what else the original had, EVC knows from the nodes and the registry.
EVENTS = {
    "modelpred": ("time", "name", "class", "probability"),
    "input_image": ("time", "name_node", "name_img"),
    "dstrb_progress": ("time", "name", "status"),
}


@dataclass(frozen=True)
class Figures:
    """A row of figures: node, epoch seconds, values by column of `sample`."""

    name: str
    time: float
    values: Mapping[str, float] = field(default_factory=dict)


def columns(table: str) -> tuple[str, ...]:
    """The columns of a table that is taken in."""
    return EVENTS[table] if table in EVENTS else ("time", "name", *FIGURES[table])


def figures(table: str, row: Sequence[object]) -> Figures:
    """A row of a table of figures; raises ValueError with what is wrong with it."""
    found = {}
    for value, (column, (name, most, unit)) in zip(row[2:], FIGURES[table].items(), strict=True):
        least = -273.15 if name == "temperature" else 0.0
        found[name] = number(value, column, least, most) * unit
    return Figures(_node(row[1]), moment(row[0]), found)


def event(table: str, row: Sequence[object]) -> tuple[float | str, ...]:
    """A row of another table as time, node and the rest; raises ValueError."""
    rest = [text(value) for value in row[2:]]
    if table == "modelpred":
        return moment(row[0]), _node(row[1]), rest[0], number(row[3], "probability", 0.0, 1.0)
    return moment(row[0]), _node(row[1]), *rest


def moment(value: object) -> float:
    """Epoch seconds of a number, or of a date and time (local, where it names no zone)."""
    try:
        seconds = float(str(value))
    except ValueError:
        try:
            seconds = datetime.fromisoformat(str(value).strip()).timestamp()
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"time: {_short(value)} is no time") from None
    if not EARLIEST <= seconds <= LATEST:
        raise ValueError(f"time: {_short(value)} is not between 2000 and 2100")
    return seconds


def number(value: object, column: str, least: float, most: float) -> float:
    """A number, with or without `%`, `G` or `'C` behind it; raises ValueError."""
    try:
        found = float(str(value).strip().rstrip("%GBC°'").strip())
    except ValueError:
        raise ValueError(f"{column}: {_short(value)} is no number") from None
    if not math.isfinite(found) or not least <= found <= most:
        raise ValueError(f"{column}: {_short(value)} is not between {least:g} and {most:g}")
    return found


def text(value: object) -> str:
    if value is None:
        raise ValueError("a value is missing")
    return names.printable(str(value))[:500]


def _node(value: object) -> str:
    try:
        return names.node_name(str(value))
    except ValueError as error:
        raise ValueError(f"name: {error}") from None


def _short(value: object) -> str:
    return repr(names.printable(str(value))[:40])
