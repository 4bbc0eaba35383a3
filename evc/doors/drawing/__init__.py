"""What pictures are drawn with, from the package: a stylesheet, and the outline of the world.

The outline is there so that a map needs no tile server. It
is made of Natural Earth's 1:50m countries (public domain), as the npm package
world-atlas 2.0.2 (ISC) has them, simplified to 0.06°: what is narrower is not worth its bytes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from evc.pure.pictures.maps import Outline, unrolled


@functools.cache
def outline() -> Outline:
    """Land and borders, in degrees east and north."""
    kept = json.loads(Path(__file__).with_name("outline.json").read_text())
    land, borders = (
        [one for line in kept[name] for one in unrolled(_degrees(line))]
        for name in ("land", "borders")
    )
    return Outline(land, borders)


@functools.cache
def style() -> str:
    """The stylesheet of the pages and the report."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def _degrees(line: Sequence[int]) -> list[tuple[float, float]]:
    """A line of hundredths of degrees, each as its distance from the one before."""
    east, north = accumulate(line[::2]), accumulate(line[1::2])
    return [(x / 100, y / 100) for x, y in zip(east, north, strict=True)]
