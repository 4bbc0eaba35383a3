"""A terminal that is read key by key, and is as it was when the program ends, however it does."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|.", re.DOTALL)  # an arrow is several bytes


@contextlib.contextmanager
def pressed() -> Iterator[Callable[[float], list[bytes]]]:
    """What waits so many seconds for keys, and gives them; the terminal is as it was after.

    Where nobody can type, it waits.
    """
    if not sys.stdin.isatty():
        yield _wait
        return
    file = sys.stdin.fileno()
    before: list[Any] = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield lambda seconds: _keys(file, seconds)
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


@contextlib.contextmanager
def told_to_end() -> Iterator[None]:
    """`kill` and a closed terminal end it as Ctrl-C does: the terminal is as it was after."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def _wait(seconds: float) -> list[bytes]:
    time.sleep(seconds)
    return []


def _keys(file: int, seconds: float) -> list[bytes]:
    """What was typed, key by key; a terminal that went away says `q`."""
    if not select.select([file], [], [], seconds)[0]:
        return []
    return _KEY.findall(os.read(file, 1024)) or [b"q"]
