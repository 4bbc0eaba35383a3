"""A node whose agent lies: the logger keeps what is good, counts the rest, and lives.

The node is this machine, so that the agent can be a program of the test's own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.runbooks import nodes as inventory
from evc.runbooks import plays
from evc.runbooks.init import init
from tests import forked

BEGIN = """
import json, sys, time
def say(**words): print(json.dumps(words), flush=True)
def sample(seq, at=None, up=None, **figures):
    say(at=str(seq) if at is None else at, seq=seq, boot="b", up=1000.0 + seq if up is None else up,
        time=time.time(), sample={"cpu": {"idle": 50.0}, **figures})
def clocks(at="", **words):
    say(at=at, follow={"boot": "b", "time": time.time(), "program": "x", "newest": 9, **words})
clocks(up=2000.0)
"""
# A minute of numbers, and one line of a compressed stream; for a node that is metered.
MINUTES = """
import binascii, zlib
def minute(first, last, at=None):
    say(at=at or str(last), seq=last, boot="b", up=1000.0 + last, time=time.time(),
        minute={"from": first, "count": 2}, sample={"cpu": {"idle": 50.0}})
def squeezed(text):
    stream = zlib.compressobj()
    packed = stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)
    say(z=binascii.b2a_base64(packed, newline=False).decode())
"""
END = "\nsample(900)\ntime.sleep(60)\n"
GOOD = [900]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def log(fleet: Fleet) -> Iterator[Any]:
    """Runs the logger once against an agent of this text; the rows stored, and what was dropped."""

    def run(agent: str, metered: bool = False) -> tuple[list[int], dict[str, int]]:
        with store.opened(fleet.database, fleets.share() / "db") as opened:
            opened.write(
                "INSERT INTO node (name, address, port, is_local, added_at, registered_at, metered)"
                " VALUES ('here', '', 0, 1, 0, 0, ?)",
                (int(metered),),
            )
            home = Path(plays.home(fleet, inventory.everyone(opened)[0]))
            home.mkdir()
            (home / "evc_agent.py").write_text(BEGIN + agent + END)
            words = (str(fleet.root), os.devnull, "--duration", "50")
            logger = forked.FORKS.Process(target=forked.log, args=words)
            logger.start()
            try:
                until_stored(opened, 900)
            finally:
                logger.terminate()
                logger.join(10)
                assert logger.exitcode == 0
            found = [row["seq"] for row in opened.rows("SELECT seq FROM sample ORDER BY seq")]
            dropped = opened.rows("SELECT what, count FROM dropped")
            assert opened.rows("SELECT name FROM logged_node") == [{"name": "here"}]
        return found, {row["what"]: row["count"] for row in dropped}

    yield run


def until_stored(opened: store.Store, seq: int) -> None:
    deadline = time.monotonic() + 40
    while not opened.rows("SELECT 1 FROM sample WHERE seq = ?", (seq,)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("agent", "stored", "dropped"),
    [
        ("sample(1); sample(2); sample(1); sample(2)", [1, 2], {"replayed or reordered": 2}),
        ("sample(5); sample(3)", [5], {"replayed or reordered": 1}),
        ("sample(5); sample(6, at='2')", [5], {"replayed or reordered": 1}),
        ("sample(5, at='4')", [], {"replayed or reordered": 1}),
        ("sample(5, at='5,1-4'); sample(2, at='5,3-4,1-1'); sample(2, at='5,3-4,1-1')", [2, 5],
         {"replayed or reordered": 1}),
        ("sample(5); say(at='1', silent=0); sample(3)", [5], {"replayed or reordered": 1}),
        ("sample(5, at='5,1-4'); say(at='5', silent=0); sample(2, at='5')", [5],
         {"replayed or reordered": 1}),
        ("sample(1, up=1e6); sample(2)", [2], {"from the future": 1}),
        ("sample(1, up=4e12); sample(2)", [2], {"unreadable": 1}),
        ("clocks(up=1e6); sample(1, up=1e6); sample(2)", [1, 2], {}),
        ("sample(5); clocks(at='1', up=2000.0); sample(3)", [5], {"replayed or reordered": 1}),
        ("print('x' * 50_000_000, flush=True); sample(1)", [1], {"unreadable": 1}),
        ("print('{' * 1000 + chr(10) + chr(0), flush=True)", [], {"unreadable": 2}),
        ("sys.stdout.buffer.write(b'\\xff\\xfe' * 500 + b'\\n'); sys.stdout.flush()", [],
         {"unreadable": 1}),
        ("sample(1, memory={'used': 1e308, 'total': 2**63}, node='other')", [1],
         {"out of range": 2}),
    ],
    ids=["replayed", "reordered", "position back", "not reached", "hole twice",
         "silence back", "hole closed", "future",
         "far future", "clocks again", "position back with clocks", "50 MB", "brackets", "bytes",
         "figures"],
)  # fmt: skip
def test_what_is_wrong_is_dropped_and_counted(
    log: Any, agent: str, stored: list[int], dropped: dict[str, int]
) -> None:
    found, counted = log(agent)
    assert found == [*stored, *GOOD]
    assert counted == dropped


@pytest.mark.parametrize(
    ("agent", "stored", "dropped"),
    [
        ("minute(4, 5); minute(5, 7); minute(4, 8)", [5], {"replayed or reordered": 2}),
        ("minute(4, 9, at='9,5-6'); minute(5, 6, at='9')", [6], {"replayed or reordered": 1}),
    ],
    ids=["twice", "a hole of its own"],
)
def test_a_sample_is_in_one_minute_only(
    log: Any, agent: str, stored: list[int], dropped: dict[str, int]
) -> None:
    found, counted = log(MINUTES + agent, metered=True)
    assert found == [*stored, *GOOD]
    assert counted == dropped


def test_a_bomb_ends_its_connection_and_no_other(log: Any) -> None:
    """It comes again, of course, and is the same: but the sample before it is kept."""
    once = (
        "import os\nif not os.path.exists(__file__ + '.done'):\n    open(__file__ + '.done', 'w')"
    )
    found, counted = log(f"{MINUTES}\n{once}; squeezed(b'x' * 10**8 + b'\\n')", metered=True)
    assert (found, counted) == (GOOD, {"unreadable": 1})
