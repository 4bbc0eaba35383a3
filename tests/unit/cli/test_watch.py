"""`evc status --watch` on a terminal of its own, and where there is none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init
from evc.runbooks.logger.record import Reached, Received, Recorder
from tests.terminal import HIDDEN, SHOWN, Terminal

HOSTILE = "\x1b[2J'; DROP TABLE node; -- <script>alert(1)</script>"
NODES = [
    Node(0, "cam01", "192.0.2.1", groups=("door", "shop"), title="부산 1호점 입구"),
    Node(0, "cam02", "192.0.2.2", groups=("shop",), title="가" * 200),
    Node(0, "nuc01", "192.0.2.3", groups=("lab",), title=HOSTILE),
]
BUSY = {"cam01": 12.0, "cam02": 99.0, "nuc01": 50.0, "cam03": 33.0}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three nodes with a minute of samples; the last one cannot be reached."""
    made = init(tmp_path_factory.mktemp("watch") / "fleet")
    with store.opened(made.database, share() / "db") as opened:
        inventory.save(opened, NODES)
        opened.write("UPDATE node SET registered_at = 1")
        recorder, now = Recorder(opened), time.time()
        for seq in range(12):
            recorder.write([_received(one.name, seq, now - 60 + 5 * seq) for one in NODES])
        recorder.write([Reached("cam01", True, "", now), Reached("cam02", True, "", now)])
        recorder.write([Reached("nuc01", False, "no route to host", now)])
        recorder.seen(now + 3600)
    return made


def _received(node: str, seq: int, moment: float) -> Received:
    found = {"cpu": {"idle": 100.0 - BUSY[node]}, "temperatures": {"cpu": 61.0}}
    line = {"at": str(seq), "seq": seq, "boot": "b", "up": 5.0 * seq, "time": moment}
    what = samples.read(json.dumps({**line, "sample": found}).encode()).what
    return Received(node, None, what, Moment(moment, False), Counter())


def watching(fleet: Fleet, *words: str) -> list[str]:
    return [sys.executable, "-m", "evc", "-C", str(fleet.root), "status", "--watch", *words]


@pytest.fixture
def terminal(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    columns, words = request.param
    made = Terminal(watching(fleet, *words), columns, 24)
    try:
        yield made
    finally:
        made.close()


def drawn(lines: list[str]) -> bool:
    return "q quit" in lines[-1]


def order(lines: list[str]) -> list[str]:
    """The nodes of the last group, `shop`."""
    lines = lines[next(place for place, line in enumerate(lines) if line.startswith("shop")) :]
    return [line.split()[0] for line in lines if line.split() and line.split()[0] in BUSY]


@pytest.mark.parametrize("terminal", [(80, ()), (200, ())], indirect=True)
def test_each_line_fits_and_hostile_titles_are_only_text(terminal: Terminal) -> None:
    lines = terminal.until(drawn)
    width = 200 if any("MEM" in line for line in lines) else 80
    assert {cell_len(line) for line in lines if line.strip()} <= set(range(width + 1))
    text = "\n".join(lines)
    assert "cam01 부산 1" in text and "12%" in text and "61°C" in text
    assert "shop · 2 of 2 up" in text and "lab · 0 of 1 up" in text
    assert "door · 1 of 1 up" in text and "2 of 3 up" in lines[0]
    assert "\x1b[2J" not in terminal.text.split(SHOWN, 1)[1].replace("\x1b[2J\x1b[H", "")
    assert time.strftime("%Z") in lines[0]
    # Columns are where they are in the head, though Hangul takes two cells.
    places = {cell_len(line[: line.index("61°C")]) for line in lines if "61°C" in line}
    assert len(places) == 1


@pytest.mark.parametrize("terminal", [(200, ("--on", "shop"))], indirect=True)
def test_keys_sort_and_q_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    assert order(terminal.until(drawn)) == ["cam01", "cam02"]
    terminal.type("c")
    assert order(terminal.until(lambda lines: "by cpu" in lines[-1])) == ["cam02", "cam01"]
    terminal.type("c")
    assert order(terminal.until(lambda lines: "↑" in lines[-1])) == ["cam01", "cam02"]
    terminal.type("q")
    assert terminal.ended() == (0, terminal.before)
    assert HIDDEN in terminal.text


@pytest.mark.parametrize("terminal", [(80, ())], indirect=True)
def test_control_c_ends_it_cleanly(terminal: Terminal) -> None:
    terminal.until(drawn)
    terminal.type("\x03")
    assert terminal.ended() == (0, terminal.before)
    assert HIDDEN in terminal.text and "Traceback" not in terminal.text


@pytest.mark.parametrize("terminal", [(80, ())], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_leaves_the_terminal_as_it_was(terminal: Terminal, number: int) -> None:
    terminal.until(drawn)
    terminal.process.send_signal(number)
    assert terminal.ended() == (128 + number, terminal.before)
    assert HIDDEN in terminal.text and "Traceback" not in terminal.text


def test_it_scrolls_and_stops_at_both_ends(fleet: Fleet) -> None:
    terminal = Terminal(watching(fleet), 80, 8)  # five lines of the seven
    try:
        terminal.until(lambda lines: "1-5 of 7 lines" in lines[-1])
        for keys, seen in (("j", "2-6"), ("\x1b[6~", "3-7"), ("\x1b[B", "3-7"), ("k", "2-6"),
                           ("\x1b[5~", "1-5")):  # fmt: skip
            terminal.type(keys)
            terminal.until(lambda lines: f"{seen} of 7 lines" in lines[-1])  # noqa: B023
    finally:
        terminal.close()


def test_without_a_terminal_it_is_a_plain_table_once(fleet: Fleet) -> None:
    done = subprocess.run(watching(fleet), capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout and "부산 1호점 입구" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("nuc01")]
    assert "down: no route to host" in row and "'; DROP TABLE node" in row and "\x1b" not in row


@pytest.mark.parametrize(
    ("fault", "said"),
    [("nothing", "nothing is recorded yet"), ("newer", "a newer EVC"), ("older", "an older EVC")],
)
def test_a_database_that_cannot_be_shown_is_refused(tmp_path: Path, fault: str, said: str) -> None:
    made = init(tmp_path / "fleet")
    if fault != "nothing":
        with store.opened(made.database, share() / "db") as opened:
            opened.write(f"PRAGMA user_version = {999 if fault == 'newer' else 4}")
    done = subprocess.run(watching(made), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and said in done.stderr and "\n" in done.stderr.strip()
    assert fault != "nothing" or not made.database.exists()


@pytest.mark.parametrize("terminal", [(80, ())], indirect=True)
def test_what_is_recorded_meanwhile_is_shown(fleet: Fleet, terminal: Terminal) -> None:
    """The last one: what it writes stays."""
    assert "cam03" not in "\n".join(terminal.until(drawn))
    with store.opened(fleet.database, share() / "db") as opened:
        inventory.save(opened, [Node(0, "cam03", "192.0.2.4", groups=("shop",))])
        recorder, now = Recorder(opened), time.time()
        recorder.write([Reached("cam03", True, "", now), _received("cam03", 0, now)])
        recorder.seen(now + 3600)
    lines = terminal.until(lambda lines: any("cam03" in line for line in lines))
    (line,) = [line for line in lines if "cam03" in line]
    assert "33%" in line and "61°C" in line and "up" in line and "2 of 4 up" not in lines[0]
    assert "shop · 3 of 3 up" in "\n".join(lines)
