"""Every picture is asked of a real database, as each of its readers would ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
            asks = any(f"(:{name})" in panel.sql for name in names)
            assert asks is (panel.key not in planted.OF_THE_CONTROLLER), panel.key


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
        there = planted.there(panel.key, alpha)
        assert (value in [row[column] for row in rows]) is there, rows[:5]


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


def asked(store: Store, key: str, until: int = planted.NOW) -> list[dict[str, Any]]:
    (panel,) = [panel for panel in PANELS if panel.key == key]
    everybody = {"node": [planted.ALPHA, planted.BETA, planted.NEW]}
    chosen = planted.chosen("", True) | everybody
    return store.rows(*bound(panel.sql, until - planted.DAY, until, chosen))


@pytest.mark.parametrize(
    "key", ["fleet-table", "fleet-alerts", "rollouts-nodes", "rollouts-progress", "models-last",
            "models-inputs", "node-models"],
)  # fmt: skip
def test_tables_say_a_nodes_title_too(two_nodes: Store, key: str) -> None:
    titles = {(row["node"], row["title"]) for row in asked(two_nodes, key)}
    assert (planted.ALPHA, planted.TITLE) in titles and (planted.BETA, planted.TITLE) not in titles


def test_legends_and_the_map_say_it(two_nodes: Store) -> None:
    names = {row["series"] for row in asked(two_nodes, "fleet-cpu-nodes")}
    assert names == {f"{planted.TITLE} (alpha)", "beta"}
    assert [row["label"] for row in asked(two_nodes, "fleet-map")] == [planted.TITLE, "beta"]


@pytest.mark.parametrize(
    ("late", "alpha", "beta"),
    [
        (0, ("up", ""), ("down", "it is off")),
        (60, ("up", "no sample comes"), ("down", "it is off")),
        (90, ("unknown", "no logger runs"), ("unknown", "no logger runs")),
    ],
)
def test_how_a_node_is_and_why(
    two_nodes: Store, late: int, alpha: tuple[str, str], beta: tuple[str, str]
) -> None:
    rows = asked(two_nodes, "fleet-table", planted.NOW + late)
    found = {row["node"]: (row["state"], row["reason"]) for row in rows}
    assert found == {"alpha": alpha, "beta": beta, "new": ("unknown", "never heard")}


def test_models_stand_beside_their_node_with_what_is_not_well(two_nodes: Store) -> None:
    models = {row["node"]: row["models"] for row in asked(two_nodes, "fleet-table")}
    assert models == {"alpha": "lamp 1.0", "beta": "lamp 1.0 (failed)", "new": None}
    two_nodes.write("UPDATE container_sample SET health = 'unhealthy'")
    models = {row["node"]: row["models"] for row in asked(two_nodes, "fleet-table")}
    two_nodes.write("UPDATE container_sample SET health = 'healthy'")
    assert models["alpha"] == "lamp 1.0 (unhealthy)"
