"""What a metered node's link carries in a day: real bytes at a lab node's interface."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.homes import Home, home
from bench.measure import Result
from evc.doors import fleet as fleets
from evc.doors import store

NODE = "edge01"
MINUTES = 5
DAY_MINUTES = 1440
CONNECTIONS = 24  # a day: a link that breaks every hour
GOAL_BYTES = 3_000_000
SECONDS = 180.0


def bench() -> Result:
    """A day is CONNECTIONS times connecting, and its minutes as those that were measured.

    What connecting costs holds the first backlog too. The samples are those of an idle lab node.
    """
    with home(1, 0) as (made, _):
        made.evc("node", "add", NODE)
        made.evc("node", "set", NODE, "--metered")
        made.evc("logger", "--install")
        quiet = _carried(made)
        command = [sys.executable, "-m", "evc", "-C", str(made.fleet.root), "logger"]
        logger = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            begin, _ = _after(made, _minutes(made) + 2)  # a live one has come
            minutes = _minutes(made)
            end, came = _after(made, minutes + MINUTES)
        finally:
            logger.terminate()
            logger.wait()
    connecting, steady = begin - quiet, (end - begin) / (came - minutes)
    print(f"  connecting {connecting} B, a minute {steady:.0f} B", file=sys.stderr, flush=True)
    day = CONNECTIONS * connecting + DAY_MINUTES * steady
    return Result("link_bytes_day", day, "B", "the goal itself", GOAL_BYTES, 1.0)


def _carried(made: Home) -> int:
    """Bytes in and out of the node's interface, Ethernet's headers too."""
    paths = [f"/sys/class/net/eth0/statistics/{way}_bytes" for way in ("rx", "tx")]
    return sum(map(int, made.on(NODE, "cat", *paths).split()))


def _minutes(made: Home) -> int:
    with store.opened(made.fleet.database, fleets.share() / "db") as opened:
        return len(opened.rows("SELECT id FROM sample WHERE covers IS NOT NULL"))


def _after(made: Home, minutes: int) -> tuple[int, int]:
    """What was carried when so many minutes had been stored, and how many they are then."""
    deadline = time.monotonic() + SECONDS * MINUTES
    while (found := _minutes(made)) < minutes:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{found} minutes came, not {minutes}")
        time.sleep(0.5)
    return _carried(made), found
