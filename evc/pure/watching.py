"""The live view of a fleet as values: how each node is, in what order, and a figure as bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

BARS = "▁▂▃▄▅▆▇█"
_WORST = ("down", "unknown", "up")


@dataclass(frozen=True)
class Seen:
    """One node as it was recorded last: CPU in % of two minutes and now, °C, memory in %."""

    name: str
    title: str = ""
    groups: tuple[str, ...] = ()
    state: str = "unknown"
    reason: str = ""
    age: float | None = None
    cpu: tuple[float, ...] = ()
    busy: float | None = None
    temperature: float | None = None
    memory: float | None = None
    models: str = ""


# Key on the keyboard → what is sorted by it, and by what; what is worth looking at comes first.
ORDERS: dict[str, tuple[str, Callable[[Seen], tuple[float | str, ...]]]] = {
    "n": ("name", lambda one: (one.name,)),
    "c": ("cpu", lambda one: (-(one.busy or 0.0), one.name)),
    "t": ("temperature", lambda one: (-(one.temperature or 0.0), one.name)),
    "m": ("models", lambda one: (one.models, one.name)),
    "s": ("state", lambda one: (_WORST.index(one.state), not one.reason, one.name)),
    "a": ("age", lambda one: (-1e12 if one.age is None else -one.age, one.name)),
}


def by_group(nodes: Iterable[Seen], order: str, backwards: bool) -> list[tuple[str, list[Seen]]]:
    """The nodes below each of their groups, each group in an order of ORDERS; '' is none."""
    found: dict[str, list[Seen]] = {}
    for one in nodes:
        for group in one.groups or ("",):
            found.setdefault(group, []).append(one)
    key = ORDERS[order][1]
    return [(name, sorted(found[name], key=key, reverse=backwards)) for name in sorted(found)]


def spark(values: Sequence[float], cells: int) -> str:
    """The last `cells` percentages as bars, right-aligned."""
    bars = (BARS[min(7, max(0, int(value / 12.5)))] for value in values[-cells:])
    return "".join(bars).rjust(cells)


def span(seconds: float) -> str:
    """Seconds in a few letters: `4 s`, `12 min`, `3 h`, `5 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
