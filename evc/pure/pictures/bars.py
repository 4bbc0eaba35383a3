"""Stacked bars over time: how many of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from evc.pure.panels import Panel
from evc.pure.pictures import axes, lines, words
from evc.pure.pictures.axes import Frame, Point


def draw(panel: Panel, points: Sequence[Point], since: float, until: float) -> str:
    series, heights = axes.by_series(points), defaultdict[float, float](float)
    for moment, _, value in points:
        heights[moment] += value or 0.0
    frame = axes.frame(panel, since, until, [0.0, *heights.values()])
    width, base, drawn = _width(frame, sorted(heights)), defaultdict[float, float](float), []
    for index, (name, found) in enumerate(series.items()):
        for moment, value in found:
            drawn.append(_bar(frame, moment, base[moment], value or 0.0, width, index, name))
            base[moment] += value or 0.0
    return axes.svg(panel, axes.grid(panel, frame) + "".join(drawn)) + lines.legend(panel, series)


def _bar(
    frame: Frame, moment: float, base: float, value: float, width: float, index: int, name: str
) -> str:
    top, bottom = frame.y(base + value), frame.y(base)
    said = words.text(f"{name}: {words.shown(value)}, {words.moment(moment)}")
    return (
        f'<rect x="{frame.x(moment)}" y="{top}" width="{width:.1f}" height="{bottom - top:.1f}"'
        f' fill="{axes.colour(index)}"><title>{said}</title></rect>'
    )


def _width(frame: Frame, moments: Sequence[float]) -> float:
    """As wide as the distance of two bars that are beside one another, but for a gap."""
    step = min(
        (after - before for before, after in pairwise(moments)),
        default=(frame.until - frame.since) / 24,
    )
    return max(1.0, 0.85 * (frame.x(frame.since + step) - frame.x(frame.since)))
