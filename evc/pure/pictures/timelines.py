"""States over time: a row a series, each state from its moment to the next."""

from __future__ import annotations

from collections.abc import Sequence

from evc.pure.panels import Panel, State
from evc.pure.pictures import axes, words
from evc.pure.pictures.axes import Frame, Point

UNKNOWN = State("unknown", "unknown")


def draw(panel: Panel, points: Sequence[Point], since: float, until: float) -> str:
    series = axes.by_series(points)
    width, height = axes.size(panel)
    frame = Frame(width, height, since, until, 0.0, 1.0)
    room = (height - axes.TOP - axes.BOTTOM) / len(series)
    drawn = [
        _row(panel, frame, found, axes.TOP + index * room, room * 0.8)
        for index, found in enumerate(series.values())
    ]
    names = [
        f'<text class="tick end" x="{axes.LEFT - 6}" y="{axes.TOP + (index + 0.5) * room:.0f}">'
        f"{words.text(name)[:10]}</text>"
        for index, name in enumerate(series)
    ]
    return axes.svg(panel, axes.times(frame) + "".join(drawn + names)) + _legend(panel)


def _row(
    panel: Panel,
    frame: Frame,
    points: Sequence[tuple[float, float | None]],
    top: float,
    height: float,
) -> str:
    found = []
    for index, (moment, value) in enumerate(points):
        if value is None:
            continue
        until = points[index + 1][0] if index + 1 < len(points) else frame.until
        state = panel.state(value) or UNKNOWN
        width = max(0.5, frame.x(until) - frame.x(moment))
        said = words.text(f"{state.text}, {words.moment(moment)} to {words.moment(until)}")
        found.append(
            f'<rect x="{frame.x(moment)}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
            f' fill="{axes.LEVELS[state.level]}"><title>{said}</title></rect>'
        )
    return "".join(found)


def _legend(panel: Panel) -> str:
    found = "".join(
        f'<span><i style="background:{axes.LEVELS[one.level]}"></i>{words.text(one.text)}</span>'
        for one in panel.states.values()
    )
    return f'<p class="states">{found}</p>'
