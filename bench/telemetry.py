"""What the record of a fleet weighs, and how fast a month of it answers."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.figures import figures
from bench.measure import Result, paired
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.samples import FIGURES, Sample
from evc.runbooks.logger.record import Received, Recorder

DAY, INTERVAL = 86400, 5
NOON = 1_800_000_000
NODES, FLEET, MONTH_HOURS = 20, 100, 30 * 24
GOAL_BYTES = 600
MONTH = """
SELECT name, avg(mean), min(low), max(high) FROM hour JOIN logged_node ON logged_node.id = node_id
WHERE figure = 'idle' AND time >= ? GROUP BY name
"""
RAW_DAY = "SELECT count(*) FROM sample"


def bytes_per_sample() -> Result:
    """A day of twenty nodes as a Raspberry Pi measures: four cores, two file systems and zones."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        path = Path(folder) / "edge_logs.db3"
        with store.opened(path, fleets.share() / "db") as opened:
            empty, recorder = path.stat().st_size, Recorder(opened)
            for moment in range(0, DAY, INTERVAL * 12):
                recorder.write([_received(node, moment + n * INTERVAL)
                                for n in range(12) for node in range(NODES)])  # fmt: skip
            opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (path.stat().st_size - empty) / (NODES * DAY / INTERVAL)
    return Result("bytes_per_sample", size, "B", "the goal itself", GOAL_BYTES, 1.0)


def _received(node: int, moment: int) -> Received:
    what = samples.read(json.dumps(_line(node, moment)).encode()).what
    assert isinstance(what, Sample)
    return Received(f"node{node:02}", None, what, Moment(NOON + moment, False), Counter())


def _line(node: int, moment: int) -> dict[str, Any]:
    """An agent's line."""
    head = {"seq": moment // INTERVAL, "boot": "b", "up": float(moment), "time": NOON + moment}
    return {"at": "1", **head, "sample": figures(node, moment)}


def month_query() -> Result:
    """The fleet's month by rollups, against counting the raw rows of a single day; both cold."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        path = Path(folder) / "edge_logs.db3"
        with store.opened(path, fleets.share() / "db") as opened:
            _fill(opened)
            opened.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        since = NOON - MONTH_HOURS * 3600
        ours, peer = paired(lambda: _cold(path, MONTH, (since,)), lambda: _cold(path, RAW_DAY), 5)
    return Result("month_query", ours, "s", "count(*) of a raw day", peer, 1.0)


def _fill(opened: Store) -> None:
    """A hundred nodes: hours of a month of every figure, and the raw rows of a day."""
    series = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ?)"
    with opened.transaction():
        opened.write_all("INSERT INTO logged_node (name) VALUES (?)",
                         [(f"node{number:03}",) for number in range(FLEET)])  # fmt: skip
        for figure in FIGURES:
            opened.write(
                f"{series} INSERT INTO hour SELECT ?, id, ? - n * 3600, 1.5, n % 97 + 0.5, 99.5,"
                " 720 FROM logged_node, n", (MONTH_HOURS - 1, figure, NOON))  # fmt: skip
        item = _received(1, 5).what
        assert isinstance(item, Sample)
        opened.write(
            f"{series} INSERT INTO sample (id, node_id, boot_id, seq, time, up, estimated,"
            f" {', '.join(FIGURES)}, detail) SELECT (? + n * 5) * 1000 << 20 | id << 6, id, 1, n,"
            f" ? + n * 5.0, n * 5.0, 0, {', '.join('?' * len(FIGURES))}, ? FROM logged_node, n",
            (DAY // INTERVAL - 1, NOON, NOON, *[item.figures[name] for name in FIGURES],
             item.detail))  # fmt: skip


def _cold(path: Path, sql: str, values: tuple[Any, ...] = ()) -> None:
    """Ask with nothing of the file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with store.foreign(path) as opened:
        assert opened.rows(sql, values)
