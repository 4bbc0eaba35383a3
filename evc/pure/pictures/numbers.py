"""One number, in the colour of what it means."""

from __future__ import annotations

from evc.pure.panels import Level, Panel
from evc.pure.pictures import words


def draw(panel: Panel, value: object) -> str:
    state = panel.state(value)
    said = state.text if state else words.shown(value, panel.unit)
    kind = state.level if state else level(panel, value)
    return f'<p class="number {kind}">{words.text(said)}</p>'


def level(panel: Panel, value: object) -> Level | str:
    """Of the highest threshold that the value has reached; '' where there are none."""
    if not panel.thresholds or not isinstance(value, int | float):
        return ""
    reached = [one.level for one in panel.thresholds if value >= one.above]
    return reached[-1] if reached else "good"
