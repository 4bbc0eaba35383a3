"""Links that are paid by the byte: what they may carry in a day."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evc.pure.schema import Strict

DAY = 86400
MEGABYTE = 1_000_000  # as they are sold


class Metered(Strict):
    """`metered:` of ServerConfig.yaml: what a node's link may carry for the record in a day."""

    megabytes_a_day: Annotated[float, Field(gt=0, le=1e6)] = 3.0

    @property
    def budget(self) -> int:
        """Bytes a day."""
        return int(self.megabytes_a_day * MEGABYTE)


def day_of(now: float) -> int:
    """When the day began that `now` is in, UTC; both in epoch seconds."""
    return int(now // DAY) * DAY
