"""Lines over time, one a series, with what they last were in a legend."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from evc.pure.panels import Panel
from evc.pure.pictures import axes, words
from evc.pure.pictures.axes import Frame, Point, Series

FEW = 12  # series that are told apart by their colour
_BREAK = 3.5  # steps without a point


def draw(panel: Panel, points: Sequence[Point], since: float, until: float) -> str:
    series = axes.by_series(points)
    values = [value for _, _, value in points if value is not None]
    frame = axes.frame(panel, since, until, values)
    longest = _BREAK * _step(series)
    drawn = "".join(
        _line(frame, name, axes.colour(index), found, longest, len(series) > FEW)
        for index, (name, found) in enumerate(series.items())
    )
    inside = axes.grid(panel, frame) + _thresholds(panel, frame) + drawn
    return axes.svg(panel, inside) + legend(panel, series)


def legend(panel: Panel, series: Series) -> str:
    """A row a series, the highest last value first, so that numbers can be read, not guessed."""
    rows = []
    for index, (name, points) in enumerate(series.items()):
        known = [value for _, value in points if value is not None]
        if known:
            rows.append((known[-1], index, name, min(known), max(known)))
    rows.sort(key=lambda row: -row[0])
    body = "".join(
        f'<tr><td><i style="background:{axes.colour(index)}"></i>{words.text(name)}</td>'
        + "".join(f"<td>{words.text(words.shown(one, panel.unit))}</td>" for one in figures)
        + "</tr>"
        for last, index, name, low, high in rows
        for figures in [(last, low, high)]
    )
    head = "<tr><th></th><th>last</th><th>lowest</th><th>highest</th></tr>"
    return f'<div class="legend"><table>{head}{body}</table></div>'


def _line(
    frame: Frame,
    name: str,
    colour: str,
    points: Sequence[tuple[float, float | None]],
    longest: float,
    thin: bool,
) -> str:
    parts, before, place = [], None, None
    for moment, value in points:
        if value is None:
            before = None
            continue
        here = (frame.x(moment), frame.y(value))
        if before is None or moment - before > longest:
            parts.append(f"M{here[0]} {here[1]}h0")
        elif here != place:
            parts.append(f"L{here[0]} {here[1]}")
        before, place = moment, here
    style = "line thin" if thin else "line"
    return (
        f'<path class="{style}" stroke="{colour}" d="{"".join(parts)}">'
        f"<title>{words.text(name)}</title></path>"
    )


def _thresholds(panel: Panel, frame: Frame) -> str:
    found = []
    for one in panel.thresholds:
        if frame.low <= one.above <= frame.high:
            y, colour = frame.y(one.above), axes.LEVELS[one.level]
            ends = f'x1="{axes.LEFT}" x2="{frame.width - axes.RIGHT}" y1="{y}" y2="{y}"'
            found.append(f'<line class="threshold" stroke="{colour}" {ends}/>')
    return "".join(found)


def _step(series: Series) -> float:
    """The least distance of two points of a series, in seconds."""
    steps = (
        after[0] - before[0] for points in series.values() for before, after in pairwise(points)
    )
    return min((step for step in steps if step > 0), default=1.0)
