"""The logger's event loop: it looks for what came a few times a second, and takes it together.

To wake up costs as much as several lines do (a processor's caches are cold by then), and no line is
in a hurry. What is in a hurry, a connection that begins, says so.
"""

from __future__ import annotations

import asyncio
import selectors
import time

GATHER_SECONDS, HURRY_SECONDS = 0.2, 2.0


class Pace:
    """How long what came may wait."""

    def __init__(self) -> None:
        self._hurried = 0.0

    def hurry(self) -> None:
        """Nothing waits for the next seconds."""
        self._hurried = time.monotonic() + HURRY_SECONDS

    def seconds(self) -> float:
        return 0.0 if time.monotonic() < self._hurried else GATHER_SECONDS

    def loop(self) -> asyncio.AbstractEventLoop:
        """A loop that keeps this pace."""
        return asyncio.SelectorEventLoop(_Gathering(self))


class _Gathering(selectors.DefaultSelector):
    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As every selector's; it sleeps first, unless there is something to do already."""
        if timeout is None or timeout > 0:
            wait = min(self._pace.seconds(), timeout or GATHER_SECONDS)
            time.sleep(wait)
            timeout = None if timeout is None else max(0.0, timeout - wait)
        return super().select(timeout)
