"""A terminal that is read key by key, and is as it was when the program ends, however it does."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def pressed() -> Iterator[Callable[[float], bytes]]:
    """What waits so many seconds for a key, and gives it or b''; the terminal is as it was after.

    Where nobody can type, it waits.
    """
    if not sys.stdin.isatty():
        yield _wait
        return
    file = sys.stdin.fileno()
    before: list[Any] = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield lambda seconds: _key(file, seconds)
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


def _wait(seconds: float) -> bytes:
    time.sleep(seconds)
    return b""


def _key(file: int, seconds: float) -> bytes:
    """One key; a terminal that went away says `q`."""
    if not select.select([file], [], [], seconds)[0]:
        return b""
    return os.read(file, 16) or b"q"
