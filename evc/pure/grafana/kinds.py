"""Each kind of panel in Grafana's words: its type, its options, its fields, its colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evc.pure.panels import Kind, Level, Panel, Unit

TYPES: Mapping[Kind, str] = {
    "number": "stat",
    "lines": "timeseries",
    "bars": "timeseries",
    "timeline": "state-timeline",
    "table": "table",
    "map": "geomap",
}
UNITS: Mapping[Unit, str] = {
    "": "none",
    "percent": "percent",
    "share": "percentunit",
    "bytes": "decbytes",
    "bytes/s": "Bps",
    "celsius": "celsius",
    "ms": "ms",
    "time": "dateTimeAsLocal",
    "age": "s",
}
COLOURS: Mapping[Level, str] = {
    "good": "green",
    "warning": "yellow",
    "bad": "red",
    "unknown": "text",
}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_SERIES = {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}
# Grafana's own outlines of countries lie below the markers: they are there without the internet.
_COUNTRIES = {
    "type": "geojson",
    "name": "Countries",
    "config": {"src": "public/maps/countries.geojson", "rules": [], "style": {
        "color": {"fixed": "dark-blue"}, "opacity": 0.2, "lineWidth": 1}},
    "tooltip": False,
}  # fmt: skip
_MARKERS = {
    "type": "markers",
    "name": "Nodes",
    "location": {"mode": "coords", "latitude": "latitude", "longitude": "longitude"},
    "config": {"showLegend": False, "style": {
        "color": {"field": "value", "fixed": "green"},
        "size": {"fixed": 7, "min": 2, "max": 15},
        "opacity": 0.8,
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
        "text": {"mode": "field", "field": "label", "fixed": ""},
        "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": -14, "textAlign": "center",
                       "textBaseline": "middle"}}},
    "tooltip": True,
}  # fmt: skip
OPTIONS: Mapping[Kind, dict[str, Any]] = {
    "number": {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "value",
        "orientation": "auto", "wideLayout": True, "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "lines": _SERIES,
    "bars": _SERIES,
    "timeline": {
        "mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.9,
        **_SERIES,
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "map": {
        "view": {"id": "fit", "allLayers": False, "layer": "Nodes", "lat": 36, "lon": 128,
                 "zoom": 4},
        "basemap": {"type": "default", "name": "Map", "config": {}},
        "controls": {"showZoom": True, "mouseWheelZoom": True, "showAttribution": True},
        "tooltip": {"mode": "details"},
        "layers": [_COUNTRIES, _MARKERS],
    },
}  # fmt: skip
_LINE = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "auto",
         "spanNulls": False}  # fmt: skip
FIELDS: Mapping[Kind, dict[str, Any]] = {
    "lines": _LINE,
    "bars": {**_LINE, "drawStyle": "bars", "fillOpacity": 80,
             "stacking": {"mode": "normal", "group": "A"}},
    "timeline": {"fillOpacity": 70, "lineWidth": 0},
    "table": {"align": "auto", "inspect": False, "cellOptions": {"type": "auto"}},
}  # fmt: skip


def thresholds(panel: Panel) -> dict[str, Any]:
    """Unit, colours and words of a panel's values."""
    steps: list[tuple[float | None, str]]
    if panel.states:
        pairs = sorted(panel.states.items())
        steps = [(None if place == 0 else number, COLOURS[state.level])
                 for place, (number, state) in enumerate(pairs)]  # fmt: skip
    else:
        steps = [(None, COLOURS["good"])]
        steps += [(one.above, COLOURS[one.level]) for one in panel.thresholds]
    drawn = {"mode": "absolute", "steps": [{"value": value, "color": color}
                                           for value, color in steps]}  # fmt: skip
    mode = "palette-classic" if panel.kind in ("lines", "bars") else "thresholds"
    found = {"unit": UNITS[panel.unit], "color": {"mode": mode}, "thresholds": drawn}
    return found | ({"mappings": [_words(panel)]} if panel.states else {})


def _words(panel: Panel) -> dict[str, Any]:
    return {
        "type": "value",
        "options": {
            str(number): {"text": state.text, "color": COLOURS[state.level], "index": place}
            for place, (number, state) in enumerate(sorted(panel.states.items()))
        },
    }


def units(panel: Panel) -> list[dict[str, Any]]:
    """The units of a table's columns."""
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "unit", "value": UNITS[unit]}],
        }
        for name, unit in panel.columns.items()
    ]
