"""Every picture is asked of a real database, as each of its readers would ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.pure.panels import DASHBOARDS, Dashboard, Panel, Variable
from evc.pure.panels.rendering import bound, for_page
from tests import planted

MIGRATIONS = Path(__file__).parents[2] / "db"
NOW = 1_800_000_000
PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
RANGES = (3600, 86400, 30 * 86400)
QUERIES = [
    pytest.param(dashboard, one, id=f"{dashboard.key}-{getattr(one, 'key', '') or one.title}")
    for dashboard in DASHBOARDS
    for one in (*dashboard.panels, *dashboard.variables)
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store.opened(tmp_path_factory.mktemp("empty") / "e.db3", MIGRATIONS) as found:
        yield found


@pytest.mark.parametrize(("dashboard", "one"), QUERIES)
def test_an_empty_database_answers(
    empty: Store, dashboard: Dashboard, one: Panel | Variable
) -> None:
    nothing = {variable.name: [] for variable in dashboard.variables}
    for seconds in RANGES:
        rows = empty.rows(*bound(one.sql, NOW - seconds, NOW, nothing))
        assert len(rows) <= (isinstance(one, Panel) and one.kind == "number")
        all_of_it = dict.fromkeys(nothing, "") | {"from": NOW - seconds, "to": NOW}
        empty.rows(for_page(one.sql, dashboard), all_of_it)


def test_keys_are_unique_and_no_panel_names_a_node() -> None:
    assert len({panel.key for panel in PANELS}) == len(PANELS)
    assert {panel.key for panel in PANELS} == set(planted.EXPECTED)
    for dashboard in DASHBOARDS:
        names = {variable.name for variable in dashboard.variables}
        for panel in dashboard.panels:
            assert any(f"(:{name})" in panel.sql for name in names), panel.key


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store.opened(tmp_path_factory.mktemp("planted") / "e.db3", MIGRATIONS) as found:
        planted.plant(found)
        yield found


@pytest.mark.parametrize("seconds", [planted.HOUR, planted.DAY, planted.MONTH])
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_what_was_planted_is_there_and_only_where_its_node_is_chosen(
    two_nodes: Store, panel: Panel, seconds: int
) -> None:
    column, value = planted.value(panel.key, seconds)
    for alpha in (True, False):
        chosen = planted.chosen(panel.key, alpha)
        rows = two_nodes.rows(*bound(panel.sql, planted.NOW - seconds, planted.NOW, chosen))
        assert (value in [row[column] for row in rows]) is alpha, rows[:5]


def test_a_variable_offers_what_there_is_by_its_title(two_nodes: Store) -> None:
    found = {
        (dashboard.key, one.name): two_nodes.rows(
            *bound(one.sql, 0, planted.NOW, planted.chosen("", True))
        )
        for dashboard in DASHBOARDS
        for one in dashboard.variables
    }
    assert found["fleet", "group"] == [
        {"value": one, "text": one} for one in ("-", "north", "south")
    ]
    assert found["fleet", "node"] == [
        {"value": "beta", "text": "beta"},
        {"value": "new", "text": "new"},
        {"value": "alpha", "text": f"{planted.TITLE} (alpha)"},
    ]
    assert [row["value"] for row in found["models", "model"]] == ["fish", "lamp"]
    assert [row["value"] for row in found["models", "release"]] == [planted.RELEASE]
    assert [row["value"] for row in found["registry", "model"]] == ["fish", "lamp"]
