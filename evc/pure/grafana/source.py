"""Grafana's datasource for a fleet's database, and a panel's query as its plugin takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evc.pure.panels import Panel, Variable
from evc.pure.panels.rendering import for_grafana

TYPE = "frser-sqlite-datasource"
IN_TIME = ("lines", "bars", "timeline")


@dataclass(frozen=True)
class Source:
    """The datasource of a fleet; its id is in every uid, so that fleets may share a Grafana."""

    fleet: str

    @property
    def uid(self) -> str:
        return f"evc-{self.fleet}"

    @property
    def name(self) -> str:
        return f"EVC {self.fleet}"

    @property
    def type(self) -> str:
        return TYPE

    @property
    def reference(self) -> dict[str, str]:
        return {"type": TYPE, "uid": self.uid}


def target(panel: Panel, source: Source) -> dict[str, Any]:
    """A panel's query; the plugin replaces variables in one text and shows the other."""
    text = for_grafana(panel.sql)
    return {
        "refId": "A",
        "datasource": source.reference,
        "queryType": "time series" if panel.kind in IN_TIME else "table",
        "rawQueryText": text,
        "queryText": text,
        "timeColumns": time_columns(panel),
    }


def time_columns(panel: Panel) -> list[str]:
    """The columns that the plugin reads as epoch seconds."""
    if panel.kind in IN_TIME:
        return ["time"]
    return [name for name, unit in panel.columns.items() if unit == "time"]


def variable_query(variable: Variable) -> str:
    """What a variable offers, in the two columns that the plugin knows."""
    inner = for_grafana(variable.sql)
    return f"SELECT text AS __text, value AS __value FROM (\n{inner}\n) ORDER BY 1"
