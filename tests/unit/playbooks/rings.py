"""What the tests of the agent share: the agent itself, and a ring read without it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILES = Path(__file__).parents[3] / "playbooks" / "files"
sys.path.insert(0, str(FILES))

import evc_agent as agent  # noqa: E402

Key = tuple[str, int, str]

SEGMENT = 2000


def body(n: int, size: int = 20) -> bytes:
    line = {"up": 100.0 + n, "time": 1e9 + n, "sample": {"n": n, "pad": "x" * size}}
    return json.dumps(line, separators=(",", ":")).encode()


def key(line: dict[str, Any]) -> Key:
    payload = json.dumps([line["up"], line["time"], line["sample"]], sort_keys=True)
    return line["boot"], line["seq"], hashlib.sha256(payload.encode()).hexdigest()


def on_disk(folder: Path) -> list[dict[str, Any]]:
    """Every line of the ring, each whole and with its checksum, in order."""
    lines = []
    for path in sorted(folder.glob("*.log")):
        for raw in path.read_bytes().splitlines(keepends=True):
            checksum, _, text = raw.partition(b" ")
            assert raw.endswith(b"\n") and int(checksum, 16) == zlib.crc32(text[:-1])
            lines.append(json.loads(text))
    return lines


def raw_lines(folder: Path) -> set[bytes]:
    return {line for path in folder.glob("*.log") for line in path.read_bytes().splitlines(True)}


def power_cut(folder: Path, chance: random.Random) -> set[bytes]:
    """The lines that the newest segment has lost, after it was cut off somewhere."""
    segment = max(folder.glob("*.log"), default=None)
    before = raw_lines(folder)
    if segment:
        os.truncate(segment, chance.randrange(segment.stat().st_size + 1))
    return before - raw_lines(folder)


def fill(ring: Any, numbers: range) -> None:
    for n in numbers:
        ring.append(body(n))


class Reader:
    """A follower in this process; what it sent, and the position with it."""

    def __init__(self, folder: Path, position: str = "", *how: Any) -> None:
        self.out = b""
        at = agent.parse_position(position)
        self.follower = agent.Follower(str(folder), at, self._write, *how)

    def _write(self, data: bytes) -> None:
        self.out += data

    def close(self) -> None:
        for lane in (self.follower._live, self.follower._backlog):
            if lane:
                lane._cursor.close()

    def all(self) -> list[dict[str, Any]]:
        while self.follower.step():
            pass
        return self.lines()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def samples(self) -> list[dict[str, Any]]:
        return [line for line in self.all() if "sample" in line]

    def numbers(self) -> list[int]:
        return [line["sample"]["n"] for line in self.samples()]

    def gaps(self) -> list[dict[str, Any]]:
        return [line["gap"] for line in self.all() if "gap" in line]


def until(condition: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether a condition came true in time."""
    deadline, wait = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        wait.wait(0.01)
    return True
