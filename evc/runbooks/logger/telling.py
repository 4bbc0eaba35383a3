"""Telling of alerts, each way for itself, until it is told: one that is down is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evc.doors import notices
from evc.doors.store import Row, Store
from evc.pure import alerts
from evc.pure.alerts import AlertSettings
from evc.runbooks.logger.alerts import titles as titles_of

AGAIN_SECONDS = (30.0, 1800.0)
NEWS_SECONDS = 86400.0  # what began and ended untold within this is still told
_UNTOLD = """
SELECT id, node, kind, text, until IS NOT NULL AS over FROM alert
WHERE NOT EXISTS (SELECT 1 FROM telling
                  WHERE alert_id = id AND way = ? AND over = (until IS NOT NULL))
  AND (until IS NULL OR since > ?
       OR EXISTS (SELECT 1 FROM telling WHERE alert_id = id AND way = ?))
"""
_TOLD = "INSERT INTO telling VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"

Ways = Mapping[str, Callable[[str], None]]


@dataclass
class _Failing:
    """A way that fails: when it is tried next, and how long it is left alone after that."""

    next: float
    wait: float


class Teller:
    """Tells what is untold; `ways` are those of the settings but in tests."""

    def __init__(self, settings: AlertSettings, ways: Ways | None = None) -> None:
        self._ways = notices.ways(settings) if ways is None else ways
        self._failing: dict[str, _Failing] = {}

    def tell(self, store: Store, now: float) -> list[str]:
        """Try each way that has something to tell; what went wrong."""
        problems = []
        for name, way in self._ways.items():
            untold = store.rows(_UNTOLD, (name, now - NEWS_SECONDS, name))
            if untold and now >= self._next(name):
                text = _text(untold, titles_of(store))
                problem = notices.tried(name, lambda: way(text))  # noqa: B023
                if problem:
                    problems.append(f"{problem}; {len(untold)} alerts wait {self._fail(name, now)}")
                else:
                    self._failing.pop(name, None)
                    told = [(row["id"], name, over, now) for row in untold for over in _which(row)]
                    store.write_all(_TOLD, told)
        return problems

    def _next(self, name: str) -> float:
        return self._failing[name].next if name in self._failing else 0.0

    def _fail(self, name: str, now: float) -> str:
        """Leave a way alone for a while, twice as long each time; how long."""
        least, most = AGAIN_SECONDS
        wait = min(most, self._failing[name].wait * 2) if name in self._failing else least
        self._failing[name] = _Failing(now + wait, wait)
        return f"for {wait:.0f} s"


def _which(row: Row) -> Sequence[int]:
    """Who is told that it is over is told that it was."""
    return (0, 1) if row["over"] else (0,)


def _text(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    new = {(row["node"], row["kind"]): row["text"] for row in rows if not row["over"]}
    over = {(row["node"], row["kind"]): row["text"] for row in rows if row["over"]}
    return alerts.message(new, over, titles)
