"""One picture that cannot be drawn is said, and the others are there."""

from __future__ import annotations

from evc.pure.panels import Panel
from evc.pure.pictures.choices import Range
from evc.runbooks import pictures

SPAN = Range(0.0, 3600.0)


def test_what_cannot_be_drawn_is_said_in_its_place() -> None:
    panel = Panel("p", "P", "table", "SELECT 1", columns={"since": "time"})
    found = pictures.picture(lambda *_: [{"since": 1e300}], panel, {}, SPAN)
    assert found.startswith('<p class="problem">') and "→" in found
    well = pictures.picture(lambda *_: [{"since": 1e9}], panel, {}, SPAN)
    assert "2001-09-09" in well
