"""Every picture is asked of a real database, as each of its readers would ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.pure.panels import DASHBOARDS, Dashboard, Panel, Variable
from evc.pure.panels.rendering import bound, for_page

MIGRATIONS = Path(__file__).parents[2] / "db"
NOW = 1_800_000_000
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
    panels = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
    assert len({panel.key for panel in panels}) == len(panels)
    for dashboard in DASHBOARDS:
        names = {variable.name for variable in dashboard.variables}
        for panel in dashboard.panels:
            assert any(f"(:{name})" in panel.sql for name in names), panel.key
