"""The outline that comes with the package, as maps take it."""

from __future__ import annotations

from itertools import pairwise

from evc.doors import drawing
from evc.pure.pictures.maps import NORTHMOST, unrolled


def test_no_line_goes_back_around_the_world() -> None:
    """But along a pole, where nothing is seen of it."""
    outline = drawing.outline()
    jumps = [
        (one, other)
        for line in (*outline.land, *outline.borders)
        for one, other in pairwise(line)
        if abs(one[0] - other[0]) > 180 and abs(one[1]) < NORTHMOST
    ]
    assert jumps == []


def test_what_crosses_the_line_is_seen_at_both_edges() -> None:
    line = [(170.0, 60.0), (-175.0, 66.0), (170.0, 70.0)]
    assert unrolled(line) == [
        [(170.0, 60.0), (185.0, 66.0), (170.0, 70.0)],
        [(-190.0, 60.0), (-175.0, 66.0), (-190.0, 70.0)],
    ]
    assert unrolled(line[:1]) == [line[:1]]


def test_far_east_siberia_is_at_the_left_edge_too() -> None:
    lines = drawing.outline().land
    assert any(
        min(north for _, north in line) < 75 and any(-180 < east < -170 for east, _ in line)
        and any(north > 62 and -180 < east < -170 for east, north in line)
        and any(east < -180 for east, _ in line) for line in lines)  # fmt: skip
