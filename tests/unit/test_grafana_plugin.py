"""Every query under the plugin's own rules: on a simulated month, while a logger writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.month import Month, fill, written
from evc.doors import store
from evc.pure.grafana.kinds import OPTIONS
from evc.pure.panels import DASHBOARDS, Dashboard, Panel, Variable
from tests import planted, plugin

MIGRATIONS = Path(__file__).parents[2] / "db"
MONTH = Month(raw=3600, minutes=6 * 3600)
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
BOTH = [
    pytest.param(dashboard, one, id=f"{dashboard.key}-{getattr(one, 'key', '') or one.title}")
    for dashboard in DASHBOARDS
    for one in (*dashboard.panels, *dashboard.variables)
]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The month's file, while a process writes to it."""
    path = tmp_path_factory.mktemp("month") / "e.db3"
    with store.opened(path, MIGRATIONS) as opened:
        fill(opened, MONTH)
    with written(path, MONTH):
        yield path


@pytest.mark.parametrize(("dashboard", "one"), BOTH)
def test_a_month_of_a_hundred_nodes_while_it_is_written(
    month: Path, dashboard: Dashboard, one: Panel | Variable
) -> None:
    names = MONTH.names()[:1] if dashboard.key == "node" else MONTH.names()
    chosen = {"node": names, "group": [f"site{number}" for number in range(5)],
              "model": ["lamp"], "release": ["-", "1.0+aaaaaaaaaaaa"]}  # fmt: skip
    for seconds in (3600, 6 * 3600, 30 * 86400):
        frame = plugin.asked(month, one, (MONTH.until - seconds, MONTH.until), chosen)
        if isinstance(one, Variable):
            assert list(frame.types) == ["__text", "__value"]
            assert all(frame.columns["__value"])
        there = any(len(column) for column in frame.columns.values())
        assert there is not _nothing_of(getattr(one, "key", ""), seconds), seconds


def _nothing_of(panel: str, seconds: int) -> bool:
    """What these nodes have not, and what nobody did in the last hour."""
    of_an_hour = {"models-metrics", "rollouts-progress", "rollouts-history"}
    return panel.startswith("node-gpu") or (seconds == 3600 and panel in of_an_hour)


@pytest.mark.parametrize("seconds", [planted.HOUR, planted.MONTH])
def test_what_was_planted_arrives_as_it_is(tmp_path: Path, seconds: int) -> None:
    path = tmp_path / "e.db3"
    with store.opened(path, MIGRATIONS) as opened:
        planted.plant(opened)
    for panel in PANELS:
        column, value = planted.value(panel.key, seconds)
        for alpha in (True, False):
            chosen = planted.chosen(panel.key, alpha)
            frame = plugin.asked(path, panel, (planted.NOW - seconds, planted.NOW), chosen)
            there = planted.there(panel.key, alpha)
            assert (value in frame.columns[column]) is there, panel.key


def test_the_maps_markers_are_named_by_fields_that_are_there(tmp_path: Path) -> None:
    """By the title where there is one, else by the name; all that a marker asks for comes."""
    path, moment = tmp_path / "e.db3", (planted.NOW - planted.HOUR, planted.NOW)
    with store.opened(path, MIGRATIONS) as opened:
        planted.plant(opened)
    (panel,) = [one for one in PANELS if one.kind == "map"]
    _, markers = OPTIONS["map"]["layers"]
    style, place = markers["config"]["style"], markers["location"]
    for alpha, name in ((True, planted.TITLE), (False, planted.BETA)):
        frame = plugin.asked(path, panel, moment, planted.chosen(panel.key, alpha))
        asked = {place["latitude"], place["longitude"], style["color"]["field"]}
        assert asked < set(frame.columns)
        assert frame.columns[style["text"]["field"]] == [name]


def test_nothing_chosen_and_nothing_there(tmp_path: Path) -> None:
    path = tmp_path / "e.db3"
    with store.opened(path, MIGRATIONS):
        pass
    nothing = dict.fromkeys(("node", "group", "model", "release"), ())
    for dashboard in DASHBOARDS:
        for one in (*dashboard.panels, *dashboard.variables):
            plugin.asked(path, one, (time.time() - 3600, time.time()), nothing)
