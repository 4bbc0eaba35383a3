"""Dashboards and provisioning as Grafana 10 to 12 reads them: plain data, by file name.

Not with grafana-foundation-sdk: it is twice as long to read as the documents that it makes, and
what it would catch (a wrong key) `tsc` catches with Grafana's own types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evc.pure.grafana.dashboards import dashboard
from evc.pure.grafana.source import Source
from evc.pure.panels import DASHBOARDS

__all__ = ["DATASOURCES", "PROVIDERS", "Source", "dashboards", "provisioning"]

DATASOURCES, PROVIDERS = "datasources/evc.yaml", "dashboards/evc.yaml"


def dashboards(source: Source) -> Mapping[str, str]:
    """File name → a dashboard's JSON."""
    documents = {f"evc-{one.key}.json": dashboard(one, source) for one in DASHBOARDS}
    return {name: _text(document) for name, document in documents.items()}


def provisioning(source: Source, database: str, folder: str) -> Mapping[str, str]:
    """File below `provisioning/` → its text (JSON is YAML); paths as Grafana sees them.

    Whoever asks through Grafana cannot write: `query_only`, and a datasource nobody may edit.
    """
    datasource = {
        "name": source.name,
        "uid": source.uid,
        "type": source.type,
        "access": "proxy",
        "editable": False,
        "jsonData": {
            "pathPrefix": "file:",
            "path": database,
            "pathOptions": "_pragma=query_only(1)&_pragma=busy_timeout(5000)",
        },
    }
    provider = {
        "name": source.name,
        "folder": source.name,
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": folder},
    }
    return {
        DATASOURCES: _text({"apiVersion": 1, "datasources": [datasource]}),
        PROVIDERS: _text({"apiVersion": 1, "providers": [provider]}),
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
