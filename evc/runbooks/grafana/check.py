"""Every query of every dashboard, asked of a running Grafana as its own pages ask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.grafana import Source
from evc.pure.grafana.source import target, variable_query
from evc.pure.panels import DASHBOARDS, Dashboard
from evc.pure.panels.rendering import bound, by_grafana
from evc.runbooks.grafana import container


def check(fleet: Fleet, store: Store) -> dict[str, str]:
    """What was asked → what is wrong with it, '' when it is well; raises EvcError without Grafana.

    The datasource, each dashboard, each variable and each panel; everything chosen.
    """
    source, grafana = Source(fleet.id), container.opened(fleet)
    found = {"datasource": grafana.source_problem(source.uid)}
    for dashboard in DASHBOARDS:
        there = grafana.has_dashboard(f"{source.uid}-{dashboard.key}")
        found[f"dashboard {dashboard.key}"] = "" if there else "it was not taken in"
        for name, query in _queries(dashboard, store, source):
            until = int(time.time() * 1000)
            found[name] = grafana.query(query, until - dashboard.seconds * 1000, until)
    return found


def _queries(
    dashboard: Dashboard, store: Store, source: Source
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name → the query that Grafana's page of it would post."""
    until = int(time.time())
    since, chosen = until - dashboard.seconds, _everything(dashboard, store, until)

    def asked(query: dict[str, Any]) -> dict[str, Any]:
        text = by_grafana(query["rawQueryText"], since * 1000, until * 1000, chosen)
        return {**query, "queryText": text, "intervalMs": 15_000, "maxDataPoints": 1000}

    for variable in dashboard.variables:
        table = {"refId": "A", "datasource": source.reference, "queryType": "table",
                 "rawQueryText": variable_query(variable), "timeColumns": []}  # fmt: skip
        yield f"{dashboard.key} variable {variable.name}", asked(table)
    for panel in dashboard.panels:
        yield panel.key, asked(target(panel, source))


def _everything(dashboard: Dashboard, store: Store, until: int) -> dict[str, list[str]]:
    """What variables offer, each by what those before it offer."""
    chosen: dict[str, list[str]] = {}
    for variable in dashboard.variables:
        rows = store.rows(*bound(variable.sql, 0, until, chosen))
        chosen[variable.name] = [row["value"] for row in rows[: None if variable.many else 1]]
    return chosen
