"""A controller that another one followed says since when, by a clock that can be read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from evc.pure.errors import BadInput
from evc.runbooks import generations
from evc.runbooks.init import init


def test_when_it_was_said_has_its_zone(tmp_path: Path) -> None:
    fleet = init(tmp_path / "fleet")
    fleet.ssh_key.write_text("a key")
    generations.begin(fleet)
    later = generations._mark(fleet, 10**14)
    zone = time.strftime("%Z")
    with pytest.raises(BadInput, match=rf"cam01 said so on [-\d]+ [:\d]+ {zone}\)"):
        generations.compare(fleet, {"cam01": later})
