"""Grafana's HTTP API, as its admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from evc.pure.errors import EvcError
from evc.pure.secret import Secret

ADMIN = "admin"
TIMEOUT_SECONDS = 60.0


class Grafana:
    """A Grafana at `url`."""

    def __init__(self, url: str, password: Secret) -> None:
        self._client = httpx.Client(
            base_url=url, auth=(ADMIN, password.reveal()), timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def answers(self) -> bool:
        """Whether it serves, its own database included."""
        try:
            found = self._client.get("/api/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        return isinstance(found, dict) and found.get("database") == "ok"

    def source_problem(self, uid: str) -> str:
        """What is wrong with a datasource, '' when it reaches its database."""
        found = self._said("GET", f"/api/datasources/uid/{uid}/health")
        return "" if found.get("status") == "OK" else str(found.get("message", found))[:300]

    def has_dashboard(self, uid: str) -> bool:
        """Whether a dashboard was taken in."""
        return "dashboard" in self._said("GET", f"/api/dashboards/uid/{uid}")

    def query(self, query: Mapping[str, Any], since: int, until: int) -> str:
        """Ask what a panel asks, from `since` to `until` (epoch ms); the error, or ''."""
        asked = {"queries": [query], "from": str(since), "to": str(until)}
        found = self._said("POST", "/api/ds/query", asked)
        result = found.get("results", {}).get(query["refId"], found)
        return "" if "frames" in result and not result.get("error") else str(result)[:300]

    def _said(self, method: str, path: str, data: object = None) -> dict[str, Any]:
        """Its answer, an error's too; raises EvcError when there is none."""
        try:
            found = self._client.request(method, path, json=data).json()
        except (httpx.HTTPError, ValueError) as error:
            raise EvcError(f"Grafana does not answer {path}: {error}") from None
        return found if isinstance(found, dict) else {"message": found}
