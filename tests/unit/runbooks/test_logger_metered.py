"""A metered node: minutes, each sample in one of them; the samples themselves on demand."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors.ssh.wire import Wire
from evc.doors.store import Store
from evc.pure.links import day_of
from evc.runbooks import rollups
from evc.runbooks.init import init
from evc.runbooks.logger.metered import Meter, UsedUp
from evc.runbooks.logger.record import Carried
from tests.checker import Key, covered, missing_and_double, ring_lines
from tests.unit.runbooks.test_logger import BEFORE, NODE, Controller, until

ROLLED = """SELECT figure, min(low) AS low, max(high) AS high, sum(count) AS count,
            sum(mean * count) / sum(count) AS mean FROM minute GROUP BY figure ORDER BY figure"""


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    found = Controller(init(tmp_path / "fleet"))
    with found.opened() as opened:
        opened.write("UPDATE node SET metered = 1")
    yield found
    found.close()


def test_killed_at_random_each_sample_is_in_one_minute_and_can_be_had(
    controller: Controller,
) -> None:
    sampler = controller.sampler()
    until(lambda: any(controller.ring.glob("*.log")))
    with controller.opened() as opened:
        for _ in range(8):
            controller.killed_as_the_position_moves(opened)
        sampler.kill()
        sampler.wait()
        wrote = received(opened, controller.ring)
        assert sorted(covered(opened, NODE)) == sorted(wrote)
        assert 0 < controller.stored() < len(wrote) / 2
        rollups.roll(opened)
        rolled = opened.rows(ROLLED)
        raw = controller.logger("--raw", NODE, "--since", "10m")
        _, said = raw.communicate(timeout=60)
        assert raw.returncode == 0 and f"{NODE}: {len(wrote)} samples in place" in said
        assert missing_and_double(opened, NODE, wrote) == ([], [])
        assert controller.stored() == len(wrote)
        rollups.roll(opened)
        for one, other in zip(rolled, opened.rows(ROLLED), strict=True):
            assert {**one, "mean": 0} == {**other, "mean": 0}
            assert one["mean"] == pytest.approx(other["mean"], rel=1e-3, abs=0.01)


def test_minutes_of_an_agent_of_the_release_before(controller: Controller) -> None:
    (controller.home / "evc_agent.py").write_bytes(BEFORE.read_bytes())
    sampler = controller.sampler()
    until(lambda: any(controller.ring.glob("*.log")) and len(ring_lines(controller.ring)) > 100)
    logger = controller.logger()
    until(lambda: controller.stored() > 0)
    sampler.kill()
    sampler.wait()
    logger.terminate()
    assert logger.wait(timeout=10) == 0
    with controller.opened() as opened:
        wrote = received(opened, controller.ring)
        assert sorted(covered(opened, NODE)) == sorted(wrote) != []


def received(opened: Store, ring: Path) -> dict[Key, str]:
    """What the ring holds up to the position."""
    (row,) = opened.rows("SELECT position FROM logged_node")
    at, _, holes = row["position"].partition(",")
    first, _, last = holes.partition("-")
    return {
        key: payload
        for key, payload in ring_lines(ring).items()
        if key[1] <= int(at) and not (holes and int(first) <= key[1] <= int(last))
    }


def test_raw_of_a_node_without_minutes(controller: Controller) -> None:
    raw = controller.logger("--raw", NODE)
    _, said = raw.communicate(timeout=60)
    assert raw.returncode == 0 and "0 samples in place of 0 minutes" in said
    wrong = controller.logger("--raw", NODE, "--since", "yesterday")
    _, said = wrong.communicate(timeout=60)
    assert wrong.returncode == 2 and "90s, 10m, 2h or 1d" in said


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    with near, far:
        yield near, far


def move(link: tuple[socket.socket, socket.socket], count: int) -> None:
    near, far = link
    far.sendall(b"x" * count)
    while count:
        count -= len(near.recv(count))


def test_bytes_are_those_of_the_wire(link: tuple[socket.socket, socket.socket]) -> None:
    wire = Wire()
    wire.begin(link[0])
    move(link, 100_000)
    taken = wire.taken()
    assert 100_000 < taken < 110_000  # its headers too
    wire.begin(link[0])  # one connection inside another
    assert wire.taken() == 0
    move(link, 10)
    assert 10 < wire.taken() < 1000


def test_a_budget_ends_the_day(
    link: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [rollups.DAY * 20_000 + 80_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    queue: asyncio.Queue[Any] = asyncio.Queue(1)
    meter = Meter("cam01", 50_000, lambda node, day: 20_000, queue)
    meter.wire.begin(link[0])
    meter.count()
    move(link, 20_000)
    meter.count()
    first = queue.get_nowait()
    assert isinstance(first, Carried) and first.day == day_of(now[0])
    move(link, 10_000)
    with pytest.raises(UsedUp, match=r"today's 0\.05 MB") as error:
        meter.count()
    assert 6400 <= error.value.seconds <= 6460
    queue.get_nowait()
    now[0] += 6400
    meter.count()  # another day


def test_what_the_writer_has_no_room_for_is_told_later(
    link: tuple[socket.socket, socket.socket],
) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue(1)
    meter = Meter("cam01", 50_000, lambda node, day: 0, queue)
    meter.wire.begin(link[0])
    for _ in range(3):
        move(link, 1000)
        meter.count()
    first = queue.get_nowait()
    meter.count()
    assert first.bytes + queue.get_nowait().bytes > 3000
