"""The logger with many nodes, and with nodes that come back with hours of backlog."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Sequence

from bench.fleets import INTERVAL, Simulated, simulated
from bench.logger import SETTLE_SECONDS, logger
from bench.measure import Result

FEW, MANY = 100, 1000
FEW_SECONDS, MANY_SECONDS = 300.0, 600.0  # whole rounds of rollups
MINUTE, FLAT = 60, 1.1
NODES, AWAY, BACKLOG_SECONDS = 100, 50, 6 * 3600.0
CATCH_UP_SECONDS, INTERVALS = 300.0, 2
_AGES = """
SELECT ? - time AS age FROM logged_node
JOIN sample ON sample.id = (SELECT max(id) FROM sample WHERE node_id = logged_node.id)
WHERE name < ?
"""
_BEHIND = """
SELECT count(*) AS nodes FROM node LEFT JOIN logged_node ON logged_node.name = node.name
WHERE position IS NULL OR position = '' OR position LIKE '%,%'
"""


def logger_1000() -> Result:
    """CPU a sample with 1,000 nodes against 100; all stored, once, and memory flat."""
    few, many = logger(FEW, FEW_SECONDS), logger(MANY, MANY_SECONDS)
    settled = many.pss[int(SETTLE_SECONDS) :]
    growth = statistics.median(settled[-MINUTE:]) / statistics.median(settled[:MINUTE])
    _say(
        f"missed {many.missed}, double {many.double}, memory × {growth:.3f},"
        f" {many.cost}; {few.cost}"
    )
    sound = many.whole and few.whole and growth <= FLAT
    peer = f"{FEW} nodes"
    return Result("logger_1000", many.cost.cpu, "s", peer, few.cost.cpu, 1.2, sound)


def backlog_fair() -> Result:
    """Age of the newest sample of nodes that were never away, while half a fleet catches up."""
    most = CATCH_UP_SECONDS + 300.0
    with simulated(NODES, most, AWAY, BACKLOG_SECONDS) as fleet, fleet.logger():
        fleet.wait_for_first(NODES - AWAY)
        time.sleep(SETTLE_SECONDS)
        fleet.come_back()
        ages, took = _while_behind(fleet)
        rings = fleet.stop_sampling()
        fleet.wait_for(rings)
        missed, double = fleet.check(rings)
    p95 = sorted(ages)[math.ceil(len(ages) * 0.95) - 1]
    _say(f"caught up in {took:.0f} s; {missed} missed, {double} double; worst {max(ages):.1f} s")
    sound = took < CATCH_UP_SECONDS and not missed and not double
    peer = f"{INTERVALS} intervals"
    return Result("backlog_fair", p95, "s", peer, INTERVALS * INTERVAL, 1.0, sound)


def _while_behind(fleet: Simulated) -> tuple[Sequence[float], float]:
    """Ages of the others, in seconds, each second until all caught up; how long that took."""
    began, ages, first_away = time.monotonic(), list[float](), f"node{NODES - AWAY:04}"
    with fleet.database() as opened:
        while (took := time.monotonic() - began) < CATCH_UP_SECONDS:
            ages += [row["age"] for row in opened.rows(_AGES, (time.time(), first_away))]
            if not opened.rows(_BEHIND)[0]["nodes"]:
                break
            time.sleep(1.0)
    return ages, took


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
