"""A link that is paid by the byte: what it carried, counted, and what it may carry in a day."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from types import TracebackType

from evc.doors import ssh
from evc.pure.errors import EvcError
from evc.pure.links import DAY, MEGABYTE, day_of
from evc.runbooks.logger.record import Carried, Item

ZIPPED = ["--zip"]
METERED = ["--minutes", *ZIPPED]
SPREAD_SECONDS = 60.0


class UsedUp(EvcError):
    """A node's link has carried what it may in a day; `seconds` are left of that."""

    def __init__(self, budget: int, seconds: float) -> None:
        super().__init__(
            f"today's {budget / MEGABYTE:g} MB of its link are used up: on from midnight UTC",
            "`metered: {megabytes_a_day: …}` in ServerConfig.yaml",
        )
        self.seconds = seconds


class Meter:
    """Counts what a node's connections carry, and ends one beyond the day's budget."""

    def __init__(
        self,
        node: str,
        budget: int,
        carried: Callable[[str, int], int],
        queue: asyncio.Queue[Item],
    ) -> None:
        self.wire = ssh.Wire()
        self._node, self._budget, self._queue = node, budget, queue
        self._day = day_of(time.time())
        self._spent, self._untold = carried(node, self._day), 0

    def __enter__(self) -> None:
        self.count()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tell()

    def count(self) -> None:
        """Pass on what was carried; raises UsedUp when it was too much for this day."""
        self._tell()
        if self._spent >= self._budget:
            left = self._day + DAY - time.time()
            raise UsedUp(self._budget, max(left, 0.0) + random.uniform(0.0, SPREAD_SECONDS))

    def _tell(self) -> None:
        """To the writer; when it has no room, the next time."""
        day = day_of(time.time())
        self._spent, self._day = (self._spent if day == self._day else 0), day
        taken = self.wire.taken()
        self._spent, self._untold = self._spent + taken, self._untold + taken
        if self._untold:
            with contextlib.suppress(asyncio.QueueFull):
                self._queue.put_nowait(Carried(self._node, day, self._untold))
                self._untold = 0
