"""Nodes on a map of coasts and borders, in Mercator's projection, zoomed to where they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evc.pure.panels import Panel
from evc.pure.pictures import axes, words
from evc.pure.pictures.timelines import UNKNOWN

Line = Sequence[tuple[float, float]]
NORTHMOST = 80.0
LEAST_SPAN = 3.0  # degrees: nearer, the outline has nothing to show
AROUND = 0.25  # of the span, free at each side
TOGETHER = 9.0  # pixels from a place to each of the nodes that are there together
LETTER, LINE = 10.0, 12.0  # pixels of a name: Hangul's are the widest


@dataclass(frozen=True)
class Outline:
    """Lines in degrees east and north: land to be filled, borders to be drawn."""

    land: Sequence[Line]
    borders: Sequence[Line]


@dataclass(frozen=True)
class _View:
    """What part of the world is drawn: `scale` pixels a degree east, centred."""

    width: int
    height: int
    east: float
    north: float  # projected
    scale: float

    def place(self, east: float, north: float) -> tuple[float, float]:
        return (
            round(self.width / 2 + (east - self.east) * self.scale, 1),
            round(self.height / 2 - (_projected(north) - self.north) * self.scale, 1),
        )

    def sees(self, line: Line) -> bool:
        found = [self.place(*point) for point in line]
        across, down = [x for x, _ in found], [y for _, y in found]
        return (
            max(across) > 0 and min(across) < self.width
            and max(down) > 0 and min(down) < self.height
        )  # fmt: skip


def unrolled(line: Line) -> list[Line]:
    """A line that crosses 180° goes on beyond it, not back around the world; and once again there,
    a turn away, so that it is seen at both edges."""
    found, turns, before = list[tuple[float, float]](), 0, None
    for east, north in line:
        if before is not None and abs(east - before) > 180 and abs(north) < NORTHMOST:
            turns += 1 if east < before else -1
        before = east
        found.append((east + 360 * turns, north))
    beyond = max(east for east, _ in found) > 180, min(east for east, _ in found) < -180
    again = -360 if beyond[0] else 360
    return [found, [(east + again, north) for east, north in found]] if any(beyond) else [found]


def draw(panel: Panel, rows: Sequence[Mapping[str, object]], outline: Outline) -> str:
    places = [(_degree(row["longitude"]), _degree(row["latitude"])) for row in rows]
    view = _view(*axes.size(panel), places)
    land = "".join(_path(view, line) + "Z" for line in outline.land if view.sees(line))
    borders = "".join(_path(view, line) for line in outline.borders if view.sees(line))
    sea = f'<rect class="sea" width="{view.width}" height="{view.height}"/>'
    under = f'{sea}<path class="land" d="{land}"/><path class="border" d="{borders}"/>'
    spots = _spots(view, places)
    named = _named(rows, spots)
    nodes = "".join(_node(panel, *one) for one in zip(rows, spots, named, strict=True))
    said = "" if rows else '<p class="nothing">no node has a place: `evc node place NAME`</p>'
    return said + axes.svg(panel, under + nodes)


def _node(panel: Panel, row: Mapping[str, object], spot: tuple[float, float], named: bool) -> str:
    state = panel.state(row.get("value")) or UNKNOWN
    kept = ("latitude", "longitude", "label", "value")
    said = "\n".join(f"{key}: {one}" for key, one in row.items() if key not in kept and one)
    label = f'<text x="{spot[0] + 9}" y="{spot[1] + 4}">{words.text(_name(row))}</text>'
    return (
        f'<g class="node" data-node="{words.text(row["node"])}">'
        f'<circle cx="{spot[0]}" cy="{spot[1]}" r="6" fill="{axes.LEVELS[state.level]}"/>'
        f"{label if named else ''}<title>{_lines(said)}</title></g>"
    )


def _name(row: Mapping[str, object]) -> str:
    return str(row.get("title") or row["node"])[:24]


def _named(
    rows: Sequence[Mapping[str, object]], spots: Sequence[tuple[float, float]]
) -> list[bool]:
    """Which have room for their name; the others say it when they are pointed at."""
    taken: list[tuple[float, float, float]] = []
    found = []
    for row, (x, y) in zip(rows, spots, strict=True):
        end = x + 9 + LETTER * len(_name(row))
        free = all(end < left or x > right or abs(y - line) > LINE for left, right, line in taken)
        found.append(free)
        if free:
            taken.append((x, end, y))
    return found


def _lines(said: str) -> str:
    return "\n".join(words.text(line) for line in said.split("\n"))


def _view(width: int, height: int, places: Sequence[tuple[float, float]]) -> _View:
    """As near as shows all of them; the whole world where there are none."""
    if not places:
        return _View(width, height, 10.0, 0.0, min(width / 360, height / 300))
    east, north = [one for one, _ in places], [_projected(one) for _, one in places]
    across = max(LEAST_SPAN, max(east) - min(east)) * (1 + 2 * AROUND)
    down = max(LEAST_SPAN, max(north) - min(north)) * (1 + 2 * AROUND)
    middle = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
    return _View(width, height, *middle, min(width / across, height / down))


def _spots(view: _View, places: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where each is drawn: those that would hide one another stand in a circle."""
    found: list[tuple[float, float]] = []
    taken: dict[tuple[int, int], int] = {}
    for x, y in (view.place(*place) for place in places):
        key = (round(x / 6), round(y / 6))
        count = taken[key] = taken.get(key, 0) + 1
        angle, ring = count * 2.4, TOGETHER * math.sqrt(count - 1)
        found.append((round(x + ring * math.cos(angle), 1), round(y + ring * math.sin(angle), 1)))
    return found


def _path(view: _View, line: Line) -> str:
    found: list[tuple[float, float]] = []
    for point in line:
        here = view.place(*point)
        if not found or abs(here[0] - found[-1][0]) + abs(here[1] - found[-1][1]) >= 1:
            found.append(here)
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in found)


def _projected(north: float) -> float:
    """Degrees north in Mercator's projection, in degrees east at the equator."""
    kept = max(-NORTHMOST, min(NORTHMOST, north))
    return math.degrees(math.log(math.tan(math.radians(45 + kept / 2))))


def _degree(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
