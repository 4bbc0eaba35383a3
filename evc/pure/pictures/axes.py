"""What charts over time share: their frame, ticks at round values, and colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evc.pure.panels import Level, Panel
from evc.pure.pictures import words

Point = tuple[float, str, float | None]
Series = dict[str, list[tuple[float, float | None]]]

LEFT, RIGHT, TOP, BOTTOM = 62, 12, 8, 22
CELL_WIDTH, CELL_HEIGHT = 50, 26  # of a panel's width and height, in pixels
HIGHEST = 1e300  # beyond it, and below a millionth of a millionth, nothing is told apart
NARROWEST = 1e-12
LEVELS: dict[Level, str] = {
    "good": "#2e9e5b", "warning": "#e0a100", "bad": "#d64545", "unknown": "#9aa5b1",
}  # fmt: skip
_PALETTE = ("#2f6fde", "#e07b39", "#2e9e5b", "#9b59c6", "#d64545", "#16a0a5", "#b58900", "#e26fa5",
            "#6b7a8c", "#7cb342")  # fmt: skip
_STEPS = (
    1,
    5,
    10,
    30,
    60,
    300,
    600,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    2 * 86400,
    7 * 86400,
)


@dataclass(frozen=True)
class Frame:
    """A drawing of so many pixels over a range of seconds and one of values."""

    width: int
    height: int
    since: float
    until: float
    low: float
    high: float

    def x(self, moment: float) -> float:
        share = (moment - self.since) / max(1e-9, self.until - self.since)
        return round(LEFT + min(1.0, max(0.0, share)) * (self.width - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (_drawable(value) - self.low) / (self.high - self.low)
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 1)


def frame(panel: Panel, since: float, until: float, values: Iterable[float]) -> Frame:
    """The frame for a panel's values: from zero where that does not flatten them.

    A node may send any float; its frame has a height, and ticks that can be counted.
    """
    known = [_drawable(value) for value in values] or [0.0]
    low, high = min(known), max(known)
    if panel.most is not None:
        low, high = min(0.0, low), max(panel.most, high)
    elif 0 <= low <= high / 2:
        low = 0.0
    least = NARROWEST * max(1.0, abs(low), abs(high))
    step = _step(max(least, high - low if high > low else abs(high) or 1.0))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return Frame(*size(panel), since, until, low, high if high > low else low + step)


def size(panel: Panel) -> tuple[int, int]:
    """Pixels of a panel's drawing."""
    return panel.width * CELL_WIDTH, panel.height * CELL_HEIGHT


def by_series(points: Sequence[Point]) -> Series:
    found: Series = {}
    for moment, name, value in points:
        found.setdefault(name, []).append((moment, value))
    return found


def colour(index: int) -> str:
    """Of the palette first; then around the wheel of hues, so that neighbours differ."""
    if index < len(_PALETTE):
        return _PALETTE[index]
    return f"hsl({index * 137.508 % 360:.0f} 55% {40 + index % 3 * 10}%)"


def svg(panel: Panel, inside: str) -> str:
    """A drawing as wide as where it is put."""
    width, height = size(panel)
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{words.text(panel.title)}">'
    return f"{head}{inside}</svg>"


def grid(panel: Panel, one: Frame) -> str:
    """Lines at round values and at round local times, with what they say."""
    return _values(panel, one) + times(one)


def times(one: Frame) -> str:
    span = one.until - one.since
    step = next((step for step in _STEPS if span / step <= one.width / 110), _STEPS[-1] * 4)
    form = "%m-%d" if step >= 86400 else "%m-%d %H:%M" if span > 86400 else "%H:%M"
    form = "%H:%M:%S" if step < 60 else form
    offset = _offset(one.since)
    first = math.ceil((one.since + offset) / step) * step - offset
    found = []
    for index in range(int((one.until - first) // step) + 1):
        x, bottom = one.x(first + index * step), one.height - BOTTOM
        said = words.moment(first + index * step, form)
        found.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>')
        found.append(f'<text class="tick middle" x="{x}" y="{one.height - 6}">{said}</text>')
    zone = words.moment(one.until, "%Z")
    return (
        "".join(found) + f'<text class="tick" x="4" y="{one.height - 6}">{words.text(zone)}</text>'
    )


def _values(panel: Panel, one: Frame) -> str:
    step, found = _step(one.high - one.low), []
    for index in range(round((one.high - one.low) / step) + 1):
        value = one.low + index * step
        y, said = one.y(value), words.text(words.shown(float(value), panel.unit))
        found.append(f'<line class="grid" x1="{LEFT}" x2="{one.width - RIGHT}" y1="{y}" y2="{y}"/>')
        found.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4}">{said}</text>')
    return "".join(found)


def _drawable(value: float) -> float:
    return max(-HIGHEST, min(HIGHEST, value))


def _step(span: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, some four of which are `span`."""
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough * 0.999)


def _offset(epoch: float) -> float:
    """How far local time is ahead of UTC, in seconds."""
    zone = words.moment(epoch, "%z")
    return int(f"{zone[0]}1") * (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60)
