"""One number, in the colour of what it means."""

from __future__ import annotations

from evc.pure.panels import Panel
from evc.pure.panels.model import level
from evc.pure.pictures import words


def draw(panel: Panel, value: object) -> str:
    state = panel.state(value)
    said = state.text if state else words.shown(value, panel.unit)
    kind = state.level if state else level(panel.thresholds, value) or ""
    return f'<p class="number {kind}">{words.text(said)}</p>'
