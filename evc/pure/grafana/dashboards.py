"""A dashboard as Grafana's JSON (schema version 39: newer Grafanas bring it up themselves)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evc.pure.grafana.kinds import FIELDS, OPTIONS, TYPES, thresholds, units
from evc.pure.grafana.source import Source, target, variable_query
from evc.pure.panels import Dashboard, Panel, Variable
from evc.pure.panels.model import FULL_WIDTH

SCHEMA_VERSION = 39
EVERYTHING = {"selected": True, "text": ["All"], "value": ["$__all"]}


def dashboard(one: Dashboard, source: Source) -> dict[str, Any]:
    """The document that a provider reads."""
    return {
        "uid": f"{source.uid}-{one.key}",
        "title": one.title,
        "tags": ["evc", source.uid],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,  # a shared crosshair
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": f"now-{one.seconds}s", "to": "now"},
        "annotations": {"list": []},
        "links": [_others(source)],
        "templating": {"list": [_variable(each, source) for each in one.variables]},
        "panels": [
            _panel(number, panel, place, source)
            for number, (panel, place) in enumerate(_placed(one.panels), 1)
        ],
    }


def _others(source: Source) -> dict[str, Any]:
    """Links to the fleet's other dashboards, with what is chosen and the time."""
    return {
        "type": "dashboards",
        "title": source.name,
        "tags": [source.uid],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "",
        "tooltip": "",
        "url": "",
    }


def _variable(one: Variable, source: Source) -> dict[str, Any]:
    everything = {"current": EVERYTHING} if one.many else {}
    return {
        "name": one.name,
        "label": one.title,
        "type": "query",
        "datasource": source.reference,
        "query": variable_query(one),
        "refresh": 2,  # whenever the time range changes
        "sort": 0,
        "multi": one.many,
        "includeAll": one.many,
        **everything,
        "options": [],
    }


def _placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, dict[str, int]]]:
    """Panels with their places: from left to right, and below when the row is full."""
    x = y = tallest = 0
    for panel in panels:
        if x + panel.width > FULL_WIDTH:
            x, y, tallest = 0, y + tallest, 0
        yield panel, {"x": x, "y": y, "w": panel.width, "h": panel.height}
        x, tallest = x + panel.width, max(tallest, panel.height)


def _panel(number: int, panel: Panel, place: dict[str, int], source: Source) -> dict[str, Any]:
    return {
        "id": number,
        "type": TYPES[panel.kind],
        "title": panel.title,
        "datasource": source.reference,
        "gridPos": place,
        "targets": [target(panel, source)],
        "options": OPTIONS[panel.kind],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": units(panel)},
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    found = {**thresholds(panel), "custom": FIELDS.get(panel.kind, {})}
    if panel.most is not None:
        found |= {"min": 0, "max": panel.most}
    if panel.kind in ("lines", "bars", "timeline"):
        found["displayName"] = "${__field.labels.series}"
    return found
