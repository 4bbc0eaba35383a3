"""What the record of a fleet weighs, and how fast a month of it answers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench import month
from bench.measure import Result, paired
from bench.month import Month
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.store import Values
from evc.runbooks import rollups
from evc.runbooks.logger.record import Recorder

DAY, INTERVAL = 86400, 5
NOON = 1_800_000_000
NODES, MONTH_HOURS = 20, 30 * 24
GOAL_BYTES = 600
MONTH = """
SELECT name, avg(mean), min(low), max(high) FROM hour JOIN logged_node ON logged_node.id = node_id
WHERE figure = 'idle' AND time >= ? GROUP BY name
"""
RAW_DAY = "SELECT count(*) FROM sample"


MODEL = {"face": {"model": "face", "release": "1.0+0123456789ab", "digest": "sha256:" + "0" * 64,
                  "state": "running", "health": "healthy", "restarts": 0, "cpu": 12.5,
                  "memory": 65_000_000}}  # fmt: skip


def bytes_per_sample() -> Result:
    """A day of twenty nodes as a Raspberry Pi measures: four cores, two file systems and zones, a
    model's container; the minutes and hours of it too."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        path = Path(folder) / "edge_logs.db3"
        with store.opened(path, fleets.share() / "db") as opened:
            empty, recorder = path.stat().st_size, Recorder(opened)
            for moment in range(0, DAY, INTERVAL * 12):
                recorder.write([
                    month.received(f"node{node:03}", NOON, moment + n * INTERVAL, containers=MODEL)
                    for n in range(12) for node in range(NODES)])  # fmt: skip
            rollups.roll(opened)
            opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (path.stat().st_size - empty) / (NODES * DAY / INTERVAL)
    return Result("bytes_per_sample", size, "B", "the goal itself", GOAL_BYTES, 1.0)


def month_query() -> Result:
    """The fleet's month by rollups, against counting the raw rows of a single day; both cold."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        path = Path(folder) / "edge_logs.db3"
        with store.opened(path, fleets.share() / "db") as opened:
            month.fill(opened, Month(until=NOON))
            opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        since = NOON - MONTH_HOURS * 3600
        ours, peer = paired(lambda: cold(path, MONTH, (since,)), lambda: cold(path, RAW_DAY), 5)
    return Result("month_query", ours, "s", "count(*) of a raw day", peer, 1.0)


def cold(path: Path, sql: str, values: Values = ()) -> None:
    """Ask with nothing of the file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with store.foreign(path) as opened:
        opened.rows(sql, values)
