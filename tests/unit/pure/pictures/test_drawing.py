"""Each kind of picture from rows: what it says, where it puts it, and that text stays text."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evc.pure.panels import Panel, State, Threshold
from evc.pure.pictures import Answer, draw
from evc.pure.pictures.maps import Outline

HOUR, NOW = 3600, 1_800_000_000
WORLD = Outline([[(126.0, 34.0), (129.0, 34.0), (129.0, 38.0), (126.0, 38.0)]], [])
HOSTILE = "'\"><img src=x onerror=alert(1)><script>alert(1)</script>"
STATES = {1: State("up", "good"), 0: State("down", "bad")}


def drawn(panel: Panel, *rows: dict[str, Any]) -> str:
    return draw(panel, Answer(rows, NOW - HOUR, NOW), WORLD)


def points(*values: float | None, series: str = "cam01", step: int = 60) -> list[dict[str, Any]]:
    return [
        {"time": NOW - HOUR + step * index, "series": series, "value": value}
        for index, value in enumerate(values)
    ]


class Tags(HTMLParser):
    """The tags and attributes of a fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


@pytest.mark.parametrize("kind", ["number", "lines", "bars", "timeline", "table"])
def test_nothing_recorded_is_said(kind: Any) -> None:
    assert "nothing recorded" in drawn(Panel("p", "P", kind, ""))


def test_a_line_breaks_where_nobody_knows_and_where_points_are_missing() -> None:
    panel = Panel("p", "P", "lines", "", "percent", most=100.0)
    rows = [*points(10.0, 20.0, None, 30.0, 40.0), *points(50.0, step=HOUR - 60)]
    rows[-1]["time"] = NOW - 60
    (path,) = re.findall(r' d="(M[^"]*)"', drawn(panel, *rows))
    assert path.count("M") == 3 and path.count("L") == 2


def test_a_line_is_as_high_as_its_value() -> None:
    panel = Panel("p", "P", "lines", "", "percent", most=100.0, height=8)
    text = drawn(panel, *points(0.0, 100.0, 25.0))
    (path,) = re.findall(r' d="(M[^"]*)"', text)
    low, high, quarter = (float(place.split()[1]) for place in
                          re.findall(r"[ML]([\d.]+ [\d.]+)", path))  # fmt: skip
    assert (low - quarter) / (low - high) == pytest.approx(0.25, abs=0.01)


def test_the_legend_says_the_last_the_lowest_and_the_highest() -> None:
    text = drawn(Panel("p", "P", "lines", "", "bytes/s"), *points(1e6, 5e3, 2.5e6, 1.25e6))
    assert "<td>1.25 MB/s</td><td>5 kB/s</td><td>2.5 MB/s</td>" in text


def test_bars_stand_on_one_another() -> None:
    rows = [*points(3.0, series="cat"), *points(1.0, series="dog")]
    text = drawn(Panel("p", "P", "bars", ""), *rows)
    (cat, dog) = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', text)
    assert float(dog[0]) + float(dog[1]) == pytest.approx(float(cat[0]), abs=0.11)
    assert "cat: 3" in text and "dog: 1" in text


def test_a_state_lasts_until_the_next_and_no_longer_than_is_known() -> None:
    rows = points(1.0, 0.0, None, step=HOUR // 4)
    text = drawn(Panel("p", "P", "timeline", "", states=STATES), *rows)
    widths = [float(one) for one in re.findall(r'<rect [^>]*width="([\d.]+)"', text)]
    assert len(widths) == 2 and widths[0] == pytest.approx(widths[1], abs=0.2)
    assert "up, " in text and "down, " in text


def test_a_number_has_the_colour_of_its_threshold() -> None:
    panel = Panel(
        "p", "P", "number", "", "celsius", (Threshold(70, "warning"), Threshold(80, "bad"))
    )
    assert 'class="number good">48.5 °C' in drawn(panel, {"value": 48.5})
    assert 'class="number bad">80 °C' in drawn(panel, {"value": 80.0})
    assert 'class="number ">–' in drawn(panel, {"value": None})
    assert 'class="number bad">down' in drawn(Panel("p", "P", "number", "", states=STATES),
                                              {"value": 0})  # fmt: skip


def test_a_table_says_each_column_in_its_unit_and_times_with_their_zone() -> None:
    panel = Panel("p", "P", "table", "", columns={"size": "bytes", "since": "time", "age": "age"})
    text = drawn(panel, {"size": 2_500_000_000, "since": float(NOW), "age": 40.0, "name": "가"})
    assert "2.5 GB" in text and "40 s" in text and ">가<" in text
    assert re.search(r">20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \S+<", text)


def test_nodes_are_on_the_map_apart_though_they_are_at_one_place() -> None:
    panel = Panel("p", "P", "map", "", states=STATES)
    row = {"latitude": 37.5, "longitude": 127.0, "title": "시청", "value": 1}
    text = drawn(
        panel, {**row, "node": "a"}, {**row, "node": "b"}, {**row, "node": "c", "value": 0}
    )
    places = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)
    assert len(set(places)) == 3 and text.count("<text") == 1  # names do not hide one another
    assert 'class="land" d="M' in text
    assert "no node has a place" in drawn(panel)


def test_a_place_is_where_it_is_on_a_map() -> None:
    """Seoul is north-west of Busan, 1.1 times as far to the north in degrees, 1.4 on the map."""
    row = {"title": "", "value": 1}
    seoul = {"node": "seoul", "latitude": 37.5665, "longitude": 126.978}
    busan = {"node": "busan", "latitude": 35.1796, "longitude": 129.0756}
    text = drawn(Panel("p", "P", "map", "", states=STATES), row | seoul, row | busan)
    spots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)
    (west, north), (east, south) = ((float(x), float(y)) for x, y in spots)
    assert west < east and north < south
    assert (south - north) / (east - west) == pytest.approx(1.42, abs=0.02)


@pytest.mark.parametrize("kind", ["lines", "bars", "timeline", "table", "map", "number"])
def test_hostile_text_is_text(kind: Any) -> None:
    row = {"time": NOW - 5.0, "series": HOSTILE, "value": 1.0, "node": HOSTILE, "title": HOSTILE,
           "latitude": 35.0, "longitude": 129.0, HOSTILE: HOSTILE}  # fmt: skip
    tags = Tags(drawn(Panel("p", HOSTILE, kind, ""), row, row))
    assert not tags.names & {"img", "script"}
    assert not {name for name in tags.attributes if name.startswith("on")}


# Also what a sum of what nodes sent may come to.
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(values=st.lists(FLOATS, min_size=1, max_size=4))
@example(values=[5e-324])
@example(values=[1e-323, 2e-323])
@example(values=[1e308, -1e308])
@example(values=[math.inf])
@example(values=[1e15, 1e15 + 0.125])
def test_every_float_can_be_drawn(values: list[float]) -> None:
    for panel in (Panel("p", "P", "lines", "", "bytes"), Panel("p", "P", "bars", ""),
                  Panel("p", "P", "lines", "", most=100.0)):  # fmt: skip
        text = drawn(panel, *points(*values))
        assert 2 <= text.count('class="tick end"') <= 14
        assert not re.search(r'"[^" ]*(?:nan|inf)\b[^"]*"', text)
    assert "<p" in drawn(Panel("p", "P", "number", "", states=STATES), {"value": values[0]})


@pytest.mark.parametrize("value", [0.0, -4.0, 1e-9, 1e15, 5.0])
def test_values_of_any_size_have_a_frame(value: float) -> None:
    text = drawn(Panel("p", "P", "lines", ""), *points(value, value))
    assert "nan" not in text and 2 <= text.count('class="tick end"') <= 12
