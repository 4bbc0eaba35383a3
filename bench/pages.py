"""The pages in a browser, and the live view on a terminal, of a hundred nodes."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench import month
from bench.measure import Result, paired
from bench.month import HOUR, Month
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.runbooks.init import init
from tests.pages import Browser, browsing, served
from tests.terminal import Terminal

WATCH_SECONDS, COLUMNS, LINES = 30, 120, 50


def page_ready() -> Result:
    """The Fleet page over a month of a hundred nodes, against the page of an empty database.

    Drawn is every picture of it: the window is as high as the page.
    """
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        full, empty = init(Path(folder) / "full"), init(Path(folder) / "empty")
        filled = _filled(full, Month())
        with store.opened(empty.database, fleets.share() / "db"):
            pass
        with served(full) as ours, served(empty) as peer, browsing() as browser:
            times = paired(_looking(browser, ours, filled), _looking(browser, peer, filled), 5)
    return Result("page_ready", times[0], "s", "the page of an empty database", times[1], 3.0)


def _looking(browser: Browser, url: str, filled: Month) -> Callable[[], None]:
    page = f"{url}/-/dashboards/fleet?from={filled.since}&to={filled.until}"
    return lambda: browser.look(page)


def _filled(fleet: Fleet, length: Month) -> Month:
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        month.fill(opened, length)
    return length


def watch_cpu() -> Result:
    """`evc status --watch` of a hundred nodes against `top` on a terminal of the same size.

    While samples are written, twenty times a second.
    """
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as folder:
        fleet, now = init(Path(folder) / "fleet"), int(time.time())
        length = _filled(fleet, Month(until=now - now % HOUR + HOUR, days=1, raw=2 * HOUR))
        evc = [sys.executable, "-m", "evc", "-C", str(fleet.root), "status", "--watch"]
        with month.written(fleet.database, length):
            ours, peer = _running(evc), _running(["top", "-d", "1"])
            try:
                ours.until(lambda lines: "q quit" in lines[-1])
                peer.until(lambda lines: len(lines) > LINES // 2)
                spent = _cpu(ours, peer)
            finally:
                ours.close()
                peer.close()
    value, other = (seconds / WATCH_SECONDS * 100 for seconds in spent)
    return Result("watch_cpu", value, "% of a core", "top -d 1 beside it", other, 3.0)


def _running(command: list[str]) -> Terminal:
    return Terminal(command, COLUMNS, LINES)


def _cpu(*terminals: Terminal) -> tuple[float, ...]:
    """Seconds of CPU that each program spends, once it has drawn."""
    before = [_spent(one) for one in terminals]
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        for one in terminals:
            one.read()
    return tuple(_spent(one) - was for one, was in zip(terminals, before, strict=True))


def _spent(one: Terminal) -> float:
    times = psutil.Process(one.process.pid).cpu_times()
    return float(times.user + times.system)
