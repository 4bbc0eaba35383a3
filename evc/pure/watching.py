"""The live view of a fleet as values: how each node is, in what order, and a figure as bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

BARS = "▁▂▃▄▅▆▇█"
LATE_SECONDS = 60.0  # a metered node sends its minutes; any other a sample every five seconds
UNLOGGED_SECONDS = 90.0  # three heartbeats of the logger
_WORST = ("down", "late", "unlogged", "new", "up")


@dataclass(frozen=True)
class Reached:
    """Whether a node could be reached, until when that was true, and why not."""

    up: bool
    until: float
    reason: str = ""


@dataclass(frozen=True)
class Seen:
    """One node as it was recorded last: CPU in % with the newest last, °C, memory in %."""

    name: str
    title: str = ""
    groups: tuple[str, ...] = ()
    state: str = "new"
    reason: str = ""
    age: float | None = None
    cpu: tuple[float | None, ...] = ()
    temperature: float | None = None
    memory: float | None = None
    models: tuple[str, ...] = ()

    @property
    def busy(self) -> float | None:
        return self.cpu[-1] if self.cpu else None


# Key on the keyboard → what is sorted by it, and by what; what is worth looking at comes first.
ORDERS: dict[str, tuple[str, Callable[[Seen], tuple[float | str, ...]]]] = {
    "n": ("name", lambda one: (one.name,)),
    "c": ("cpu", lambda one: (-(one.busy or 0.0), one.name)),
    "t": ("temperature", lambda one: (-(one.temperature or 0.0), one.name)),
    "m": ("models", lambda one: (" ".join(one.models), one.name)),
    "s": ("state", lambda one: (_WORST.index(one.state), one.name)),
    "a": ("age", lambda one: (-1e12 if one.age is None else -one.age, one.name)),
}


def state(reached: Reached | None, age: float | None, now: float) -> str:
    """`up`, `down`, `late` (no sample came), `unlogged` (no logger runs), or `new`."""
    if reached is None:
        return "new"
    if now - reached.until > UNLOGGED_SECONDS:
        return "unlogged"
    if not reached.up:
        return "down"
    return "late" if age is None or age > LATE_SECONDS else "up"


def by_group(nodes: Iterable[Seen], order: str, backwards: bool) -> list[tuple[str, list[Seen]]]:
    """The nodes below the first of their groups, each group in an order of ORDERS; '' is none."""
    found: dict[str, list[Seen]] = {}
    for one in nodes:
        found.setdefault(one.groups[0] if one.groups else "", []).append(one)
    key = ORDERS[order][1]
    return [(name, sorted(found[name], key=key, reverse=backwards)) for name in sorted(found)]


def spark(values: Sequence[float | None], cells: int) -> str:
    """The last `cells` percentages as bars, right-aligned; a space for what is not known."""
    last = values[-cells:]
    bars = (" " if value is None else BARS[min(7, max(0, int(value / 12.5)))] for value in last)
    return "".join(bars).rjust(cells)


def span(seconds: float) -> str:
    """Seconds in a few letters: `4 s`, `12 min`, `3 h`, `5 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
