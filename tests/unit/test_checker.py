"""The checker sees what is missing, what is double, and what is not as the node wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import store
from evc.doors.store import Store
from evc.runbooks.logger.record import Recorder
from tests.checker import hashed, missing_and_double, said, unsaid_and_double
from tests.unit.runbooks.test_logger_record import NOW, received

MIGRATIONS = Path(__file__).parents[2] / "db"
EVENTS: list[dict[str, Any]] = [
    {"event": "prediction", "model": "face", "time": NOW,
     "results": [{"class": "a", "probability": 0.5}, {"class": "b", "probability": 0.25}]},
    {"event": "metric", "model": "face", "time": NOW, "name": "fps", "value": 25},
]  # fmt: skip
FIGURES = {
    "cpu": {"idle": 75.0}, "load": [1.0, 2.0, 3.0], "docker_disk": "/",
    "memory": {"used": 40.0, "total": 9, "available": 8, "swap_total": 7, "swap_used": 6},
    "disks": {"/": {"used": 5, "available": 4}, "/boot": {"used": 3, "available": 2}},
    "temperatures": {"cpu": 48.5, "gpu": 50.0}, "network": {"rx": 1.5, "tx": 2.5},
    "io": {"read": 3.5, "write": 4.5}, "events": EVENTS,
}  # fmt: skip
LINE = f"0 {json.dumps({'seq': 1, 'boot': 'b-1', 'up': 5.0, 'sample': FIGURES})}".encode()
KEY = ("b-1", 1)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    """A store that has received the line once."""
    with store.opened(tmp_path / "e.db3", MIGRATIONS) as found:
        Recorder(found).write([received(1, **FIGURES)])
        yield found


def test_what_is_there_once_is_well(opened: Store) -> None:
    assert missing_and_double(opened, "cam01", hashed([LINE])) == ([], [])
    assert unsaid_and_double(opened, "cam01", said([LINE])) == ([], [])


@pytest.mark.parametrize(
    "column",
    ["up", "idle", "load1", "load5", "load15", "memory_used", "memory_total", "memory_available",
     "swap_total", "swap_used", "disk_used", "disk_available", "temperature", "rx", "tx",
     "disk_read", "disk_write"],
)  # fmt: skip
def test_each_figure_counts(opened: Store, column: str) -> None:
    opened.write(f"UPDATE sample SET {column} = {column} + 1")
    assert missing_and_double(opened, "cam01", hashed([LINE])) == ([KEY], [])


def test_what_models_said_counts(opened: Store) -> None:
    opened.write("DELETE FROM prediction WHERE class = 'a'")
    opened.write("INSERT INTO metric (time, node_id, model, name, value, release)"
                 " SELECT time, node_id, model, name, value, release FROM metric")  # fmt: skip
    assert unsaid_and_double(opened, "cam01", said([LINE])) == (
        [("face", "a", 0.5)], [("face", "fps", 25.0)])  # fmt: skip
