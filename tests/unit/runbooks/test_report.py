"""The report: one file with all pictures, which asks nobody for anything."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from evc.doors import drawing, store
from evc.doors.fleet import Fleet, share
from evc.pure.inventory import Node
from evc.pure.panels import DASHBOARDS
from evc.pure.pictures.choices import Range
from evc.runbooks import nodes as inventory
from evc.runbooks import report
from evc.runbooks.init import init
from tests import forked, planted
from tests.pages import planted_fleet

SPAN = Range(planted.NOW - planted.DAY, planted.NOW)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return planted_fleet(tmp_path_factory.mktemp("report") / "fleet")


def written(fleet: Fleet, path: Path, selector: str | None) -> str:
    assert report.write(fleet, selector, SPAN, path).bytes == path.stat().st_size
    return path.read_text()


def test_it_has_each_picture_and_what_was_planted(fleet: Fleet, tmp_path: Path) -> None:
    text = written(fleet, tmp_path / "report.html", "alpha")
    keys = Counter(re.findall(r'data-panel="([a-z-]+)"', text))
    assert keys == Counter(panel.key for one in DASHBOARDS for panel in one.panels)
    for said in ("41.25 %", "48.5 °C", "1.234 kB/s", planted.TITLE, "alpha.jpg", "alpha is hot"):
        assert said in text
    assert "71 °C" not in text and "beta is" not in text and "beta.jpg" not in text


def test_it_asks_nobody_for_anything(fleet: Fleet, tmp_path: Path) -> None:
    text = written(fleet, tmp_path / "report.html", None)
    assert "<script" not in text and "<link" not in text and "url(" not in drawing.style()
    assert re.findall(r'(?:src|href)="', text) == []
    assert f'data-panel="{DASHBOARDS[1].panels[0].key}"' in text


def test_hostile_titles_are_text_in_it(tmp_path: Path) -> None:
    fleet = init(tmp_path / "fleet")
    with store.opened(fleet.database, share() / "db") as opened:
        inventory.save(opened, [Node(0, "cam01", "192.0.2.1", title="<script>alert(1)</script>"),
                                Node(0, "cam02", "192.0.2.2", title="'; DROP TABLE node; --"),
                                Node(0, "cam03", "192.0.2.3", title="가" * 200)])  # fmt: skip
    text = written(fleet, tmp_path / "report.html", None)
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    assert "DROP TABLE node" in text and "가" * 200 in text


def test_what_is_left_out_of_many_nodes_is_said(tmp_path: Path) -> None:
    fleet, path = init(tmp_path / "fleet"), tmp_path / "report.html"
    nodes = [Node(0, f"cam{number:02}", f"192.0.2.{number}") for number in range(1, 22)]
    with store.opened(fleet.database, share() / "db") as opened:
        inventory.save(opened, nodes)
    done = forked.run(["-C", str(fleet.root), "report", "--to", str(path)])
    said = "No part of its own for each of the 21 nodes"
    assert said in done.stderr and said in path.read_text() and "--on" in done.stderr
    assert "Node cam" not in path.read_text()
    written(fleet, path, ",".join(node.name for node in nodes[:20]))
    assert said not in path.read_text() and path.read_text().count("<h2>Node cam") == 20


@pytest.mark.parametrize("fault", ["nothing", "newer"])
def test_a_database_that_cannot_be_read_is_refused(tmp_path: Path, fault: str) -> None:
    fleet, path = init(tmp_path / "fleet"), tmp_path / "report.html"
    if fault == "newer":
        with store.opened(fleet.database, share() / "db") as opened:
            opened.write("PRAGMA user_version = 999")
    done = forked.run(["-C", str(fleet.root), "report", "--to", str(path)])
    remedy = "update EVC" if fault == "newer" else "evc node add"
    assert done.returncode == 1 and remedy in done.stderr and not path.exists()


@pytest.mark.parametrize(
    ("since", "code", "said"),
    [("7d", 0, "MB"), ("soon", 2, "neither 7d"), ("2999-01-01", 2, "not in the past")],
)
def test_the_command_says_what_it_wrote_or_why_not(
    fleet: Fleet, tmp_path: Path, since: str, code: int, said: str
) -> None:
    path = tmp_path / "report.html"
    done = forked.run(["-C", str(fleet.root), "report", "--since", since, "--to", str(path)])
    assert done.returncode == code and said in done.stderr and path.exists() is (code == 0)
