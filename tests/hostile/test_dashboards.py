"""What nodes and people may call things is shown as it is, and never a part of a query."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.grafana.source import Source, target, variable_query
from evc.pure.inventory import Node
from evc.pure.panels import DASHBOARDS
from evc.pure.pictures.choices import Range
from evc.runbooks import nodes, report
from evc.runbooks.init import init
from evc.runbooks.logger.record import Received, Recorder
from tests import forked, planted, plugin
from tests.pages import planted_fleet

TITLES = [
    "'; DROP TABLE node; --",
    "<script>alert(1)</script>",
    "x" * 200,
    "서울역 3번 출구 카메라",
    "${node:sqlstring}",
    "$__from",
]
MIGRATIONS = Path(__file__).parents[2] / "db"
# What a node may send as a class, a release and a model.
SAID = "x') OR 1=1; DROP TABLE node; --"


def evc(folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["-C", folder, *words])


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "e.db3"
    with store.opened(file, MIGRATIONS) as opened:
        planted.plant(opened)
        named = [Node(0, f"n{number}", f"198.51.100.{number}", title=title)
                 for number, title in enumerate(TITLES, 1)]  # fmt: skip
        nodes.save(opened, named)
        for node in named:
            _speak(opened, node.name)
    yield file


def _speak(opened: Store, node: str) -> None:
    opened.write(
        "INSERT INTO prediction (time, node, model, release, class, probability)"
        " VALUES (?, ?, ?, ?, ?, 0.5)",
        (planted.NOW - 60, node, SAID, SAID, SAID),
    )


def _ask(path: Path, text: str, asked: dict[str, object], chosen: dict[str, list[str]]) -> object:
    since = planted.NOW - 3600
    return plugin.ask(path, asked, plugin.interpolated(text, since, planted.NOW, chosen)).columns


def test_titles_and_classes_come_back_as_they_are(path: Path) -> None:
    names = [f"n{number}" for number in range(1, len(TITLES) + 1)]
    chosen = {"group": ["-"], "node": names, "model": [SAID], "release": [SAID]}
    found = {}
    for dashboard in DASHBOARDS:
        for variable in dashboard.variables:
            asked = {"queryType": "table", "timeColumns": []}
            found[variable.title] = _ask(path, variable_query(variable), asked, chosen)
        for panel in dashboard.panels:
            asked = target(panel, Source("0123456789ab"))
            found[panel.key] = _ask(path, str(asked["rawQueryText"]), asked, chosen)
    assert found["fleet-table"]["title"] == TITLES  # type: ignore[index]
    assert set(found["models-classes"]["series"]) == {SAID}  # type: ignore[index]
    assert found["models-classes"]["value"] == [len(TITLES)]  # type: ignore[index]
    assert SAID in found["Release"]["__value"]  # type: ignore[index]
    with store.foreign(path) as opened:
        assert opened.rows("SELECT count(*) AS count FROM node") == [{"count": 3 + len(TITLES)}]


def test_a_node_that_sends_numbers_at_the_edge_of_floats_costs_nobody_the_report(
    tmp_path: Path,
) -> None:
    fleet = planted_fleet(tmp_path / "fleet")
    with store.opened(fleet.database, MIGRATIONS) as opened:
        recorder = Recorder(opened)
        for seq, load in enumerate(([5e-324] * 3, [1e-323, 2e-323, 0], [1e308, -1e308, 1e-300])):
            line = {"at": "1", "seq": seq, "boot": "edge", "up": 5.0 * seq, "time": planted.NOW}
            network = {"rx": 1e308, "tx": 5e-324, "interfaces": {}}
            sample = {"load": load, "temperatures": {"cpu": 1e-320}, "network": network}
            what = samples.read(json.dumps({**line, "sample": sample}).encode()).what
            moment = Moment(planted.NOW - 200 + 60 * seq, False)
            recorder.write([Received(planted.NEW, None, what, moment, Counter())])
    path = tmp_path / "report.html"
    report.write(fleet, None, Range(planted.NOW - 3600, planted.NOW), path)
    text = path.read_text()
    assert 'class="problem"' not in text
    assert "4.941e-324" in text


def test_a_database_of_a_newer_schema_is_refused_and_left(tmp_path: Path) -> None:
    fleet = init(tmp_path / "home")
    with store.opened(fleet.database, MIGRATIONS) as opened:
        opened.write("PRAGMA user_version = 9999")
    for words in (["up"], ["check"]):
        done = evc(str(fleet.root), "dashboard", "grafana", *words)
        assert done.returncode == 1
        assert "newer EVC" in done.stderr and "update EVC" in done.stderr
    with store.foreign(fleet.database) as opened:
        assert opened.rows("PRAGMA user_version") == [{"user_version": 9999}]


def test_no_grafana_to_check_and_no_port_to_listen_at(tmp_path: Path) -> None:
    fleet = init(tmp_path / "home")
    nobody = evc(str(fleet.root), "dashboard", "grafana", "check")
    assert nobody.returncode == 1 and "dashboard grafana up" in nobody.stderr
    for bad in ("localhost", "127.0.0.1:0", "127.0.0.1:99999", "x y:3000"):
        done = evc(str(fleet.root), "dashboard", "grafana", "up", "--listen", bad)
        assert done.returncode == 2 and "Traceback" not in done.stderr, bad


def test_what_is_exported_holds_no_secret_and_no_name(tmp_path: Path) -> None:
    fleet = init(tmp_path / "home")
    with store.opened(fleet.database, MIGRATIONS) as opened:
        nodes.save(opened, [Node(0, "cam01", "192.0.2.1")])
    evc(str(fleet.root), "dashboard", "export", "--to", str(tmp_path / "out"))
    text = "".join(file.read_text() for file in (tmp_path / "out").rglob("*.*"))
    assert "cam01" not in text and json.dumps("192.0.2.1") not in text
