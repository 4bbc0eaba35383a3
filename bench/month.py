"""A month of a simulated fleet, straight into the product's own tables: rollups, events, rollouts.

Hours of the whole month; raw rows and minutes only of its end, since no picture of a month reads
them and a real month's would be eleven gigabytes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import figures
from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.samples import FIGURES, Sample
from evc.runbooks.logger.record import Received, Recorder

HOUR, DAY, INTERVAL = 3600, 86400, 5
RAW_DAYS = 14  # that samples and the controller's figures are kept
COUNT = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?)"


@dataclass(frozen=True)
class Month:
    """`nodes` nodes, `days` before `until` (an hour's beginning), its last `raw` seconds raw."""

    until: int = 1_700_000_000 - 1_700_000_000 % HOUR
    nodes: int = 100
    days: int = 30
    raw: int = DAY
    minutes: int = 0

    @property
    def since(self) -> int:
        return self.until - self.days * DAY

    def names(self) -> list[str]:
        return [f"node{number:03}" for number in range(1, self.nodes + 1)]


def fill(store: Store, month: Month) -> None:
    """All of it, in an empty database."""
    with store.transaction():
        _inventory(store, month)
        _rollups(store, "hour", HOUR, month.days * DAY, month)
        _rollups(store, "minute", 60, month.minutes, month)
        _raw(store, month)
        _reachability(store, month)
        _own(store, month)
        _models(store, month)
        _rollouts(store, month)


def _inventory(store: Store, month: Month) -> None:
    for number, name in enumerate(month.names(), 1):
        place = (number, name, f"카메라 {number}", f"192.0.2.{number % 250}", 22 + number // 250)
        store.write("INSERT INTO node (id, name, title, address, port, added_at, registered_at,"
                    " facts) VALUES (?, ?, ?, ?, ?, 0, 0, '{\"arch\": \"aarch64\"}')",
                    place)  # fmt: skip
        store.write("INSERT INTO membership VALUES (?, ?)", (number, f"site{number % 5}"))
        where = (number, 33.5 + number % 40 / 10, 126 + number // 4 % 30 / 10)
        store.write("INSERT INTO place VALUES (?, 'somewhere', ?, ?)", where)
        store.write("INSERT INTO logged_node (id, name) VALUES (?, ?)", (number, name))


def _rollups(store: Store, table: str, seconds: int, length: int, month: Month) -> None:
    for figure in FIGURES if length else ():
        store.write(
            f"{COUNT} INSERT INTO {table} SELECT ?, id, ? - (n + 1) * ?, 1.5, n % 97 + 0.5, 99.5,"
            " 720 FROM logged_node, n",
            (length // seconds, figure, month.until, seconds))  # fmt: skip


def _raw(store: Store, month: Month) -> None:
    item = received("node001", month.until, 5).what
    assert isinstance(item, Sample)
    first = month.until - month.raw
    store.write(
        f"{COUNT} INSERT INTO sample (id, node_id, boot_id, seq, time, up, estimated,"
        f" {', '.join(FIGURES)}, detail) SELECT ((? + n * 5) * 1000 << 20) | (id << 6), id, 1, n,"
        f" ? + n * 5.0, n * 5.0, 0, {', '.join('?' * len(FIGURES))}, ? FROM n, logged_node",
        (month.raw // INTERVAL, first, first, *[item.figures[name] for name in FIGURES],
         item.detail))  # fmt: skip
    store.write("INSERT INTO container SELECT id, id, 'c0ffee', 'lamp', '1.0+a', 'sha256:1', 0"
                " FROM logged_node")  # fmt: skip
    store.write(
        "INSERT INTO container_sample SELECT id, node_id, 'running', 'healthy', 0, 12.5, 65000000"
        " FROM sample WHERE id >= ?", ((month.until - HOUR) * 1000 << 20,))  # fmt: skip


def _reachability(store: Store, month: Month) -> None:
    """Each node was away for ten minutes a day, and had an alert for it."""
    for begin, end, up in ((0, DAY - 600, 1), (DAY - 600, DAY, 0)):
        store.write(
            f"{COUNT} INSERT INTO reachability (node_id, since, until, up, reason)"
            " SELECT id, ? + n * 86400 + ?, ? + n * 86400 + ?, ?, iif(?, '', 'cut off')"
            " FROM n, logged_node",
            (month.days, month.since, begin, month.since, end, up, up))  # fmt: skip
    store.write("INSERT INTO alert (node, kind, text, since, until) SELECT name, 'down', 'down',"
                " since, until FROM reachability JOIN logged_node ON logged_node.id = node_id"
                " WHERE NOT up")  # fmt: skip


def _own(store: Store, month: Month) -> None:
    """The controller's figures every five seconds, a link by day, and what was missed."""
    store.write(
        f"{COUNT} INSERT INTO controller SELECT ? - n * 5.0, 12.5, 0.5, 40.0, 1, 3, 9.5, 60000000,"
        " 5000000 FROM n", (min(month.days, RAW_DAYS) * DAY // INTERVAL, month.until))  # fmt: skip
    store.write(
        f"{COUNT} INSERT INTO link SELECT id, ? - n * 86400, 900000 FROM n, logged_node",
        (month.days, month.until - month.until % DAY))  # fmt: skip
    store.write("INSERT INTO gap (node_id, first, last, reason, time) SELECT id, 1, 9, 'fell', ?"
                " FROM logged_node", (month.until - 60,))  # fmt: skip


def _models(store: Store, month: Month) -> None:
    """Each node sees three classes an hour; in the last `raw` seconds one thing a minute."""
    hours = month.days * 24
    for kind in ("person", "cat", "bicycle"):
        store.write(
            f"{COUNT} INSERT INTO prediction_hour SELECT 'lamp', '1.0+aaaaaaaaaaaa',"
            " ? + n * 3600, name, ?, 0.5, 15.0, 0.99, 20 FROM n, logged_node",
            (hours, month.since, kind))  # fmt: skip
    for name in ("latency_ms", "fps"):
        store.write(
            f"{COUNT} INSERT INTO metric_hour SELECT 'lamp', ?, '1.0+aaaaaaaaaaaa', ? + n * 3600,"
            " id, 10.0, 1200.0, 90.0, 60 FROM n, logged_node",
            (hours, name, month.since))  # fmt: skip
    minutes = (month.raw // 60, month.until - month.raw)
    store.write(
        f"{COUNT} INSERT INTO prediction (time, node, model, release, class, probability)"
        " SELECT ? + n * 60.0, name, 'lamp', '1.0+aaaaaaaaaaaa', 'person', 0.9"
        " FROM n, logged_node", minutes)  # fmt: skip
    store.write(
        f"{COUNT} INSERT INTO metric (time, node_id, model, name, value)"
        " SELECT ? + n * 60.0, id, 'lamp', 'latency_ms', 20.0 FROM n, logged_node",
        minutes)  # fmt: skip
    store.write("INSERT INTO prediction_input (time, node, image) SELECT ?, name, 'door.jpg'"
                " FROM logged_node", (month.until - HOUR,))  # fmt: skip


def _rollouts(store: Store, month: Month) -> None:
    """A release a day, put on every node by a command each."""
    for day in range(1, month.days + 1):
        at = month.since + day * DAY - 7200
        store.write("INSERT INTO release (id, model, version, hash, source, config, built_at)"
                    " VALUES (?, 'lamp', ?, ?, 'here', '{}', ?)",
                    (day, f"1.{day}", f"{day:064x}", at))  # fmt: skip
        store.write("INSERT INTO release_image (release_id, platform, repository, tag, digest,"
                    " size_bytes, built_on, built_at)"
                    " VALUES (?, 'arm64', 'aarch64-model', ?, ?, ?, ?, ?)",
                    (day, f"lamp-1.{day}", f"sha256:{day}", 200_000_000 + day, "b01",
                     at))  # fmt: skip
        store.write("INSERT INTO catalogue (repository, tag) VALUES ('aarch64-model', ?)",
                    (f"lamp-1.{day}",))  # fmt: skip
        store.write("INSERT INTO deployment VALUES (?, 'lamp', ?, 'all', ?, NULL)", (day, day, at))
        store.write("INSERT INTO audit (time, person, command, nodes, outcome)"
                    " VALUES (?, 'kim', 'evc run', ?, 'done')",
                    (at, json.dumps(month.names())))  # fmt: skip
        store.write("INSERT INTO progress (time, node, status) SELECT ?, name, 'evc run done'"
                    " FROM node", (at,))  # fmt: skip
    store.write("INSERT INTO assignment (node_id, model, deployment_id, state, changed_at)"
                " SELECT id, 'lamp', ?, 'serving', ? FROM node",
                (month.days, month.until))  # fmt: skip


def received(node: str, begin: int, moment: int, **more: Any) -> Received:
    """A sample of `node`, `moment` seconds after `begin`, as the logger takes it; `more` in it."""
    what = samples.read(json.dumps(_line(node, begin, moment, more)).encode()).what
    assert isinstance(what, Sample)
    return Received(node, None, what, Moment(begin + moment, False), Counter())


def _line(node: str, begin: int, moment: int, more: dict[str, Any]) -> dict[str, Any]:
    """An agent's line."""
    head = {"seq": moment // INTERVAL, "boot": "b", "up": float(moment), "time": begin + moment}
    return {"at": "1", **head, "sample": {**figures(int(node[-3:]), moment), **more}}


@contextlib.contextmanager
def written(path: Path, month: Month) -> Iterator[None]:
    """A logger's writer is at the file, from the month's end on."""
    words = [sys.executable, "-m", "bench.month", str(path), str(month.until)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    try:
        assert process.stdout and process.stdout.readline()
        yield
        assert process.poll() is None, "the writer ended before its readers"
    finally:
        process.kill()
        process.wait()


def write(path: Path, until: int) -> None:
    """Write a sample of every node twenty times a second (a logger: every five); say so once."""
    with stores.opened(path, fleets.share() / "db") as opened:
        recorder = Recorder(opened)
        for number in itertools.count():
            recorder.write([received(name, until, number * INTERVAL) for name in Month().names()])
            if number == 0:
                print("writing", flush=True)
            time.sleep(0.05)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
