"""How long the slowest picture of a month takes."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from bench.measure import Result, paired, seconds
from bench.month import DAY, HOUR, Month, fill, written
from bench.telemetry import RAW_DAY, cold
from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure.panels import DASHBOARDS
from evc.pure.panels.rendering import bound

ROUNDS = 5
RUNGS = {"2 h": 2 * HOUR, "2 d": 2 * DAY, "30 d": 30 * DAY}


def panel_slowest() -> Result:
    """The slowest panel of all, a hundred nodes for a month, cold, while samples are written.

    Asked of two hours (raw), two days (minutes) and the month (hours), with rows in each. Against
    counting the raw rows of a single day, in the same file, as cold and as busy.
    """
    month = Month(minutes=2 * DAY)
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        path = Path(folder) / "edge_logs.db3"
        with store.opened(path, fleets.share() / "db") as opened:
            fill(opened, month)
            opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        with written(path, month):
            times = {key: seconds(ask) for key, ask in _questions(path, month).items()}
            slowest = max(times, key=lambda key: times[key])
            ask, count = _questions(path, month)[slowest], partial(cold, path, RAW_DAY)
            ours, peer = paired(ask, count, ROUNDS)
    return Result("panel_slowest", ours, "s", f"count(*) of a raw day ({slowest})", peer, 1.5)


def _questions(path: Path, month: Month) -> dict[str, partial[None]]:
    """Panel and range → asking it; of one node where only one can be chosen."""
    chosen = {"group": [f"site{number}" for number in range(5)], "model": ["lamp"],
              "release": ["-", "1.0+aaaaaaaaaaaa"]}  # fmt: skip
    nodes = {True: month.names(), False: month.names()[:1]}
    found = {}
    for dashboard in DASHBOARDS:
        many = {one.name: one.many for one in dashboard.variables}["node"]
        for panel in dashboard.panels:
            sets = chosen | {"node": nodes[many]}
            for rung, length in RUNGS.items():
                question = bound(panel.sql, month.until - length, month.until, sets)
                found[f"{panel.key}, {rung}"] = partial(cold, path, *question)
    return found
