"""How far a node's ring was received: all up to a number, but for holes that a backlog will fill.

As text `NUMBER,FROM-TO,…`, '' for nothing yet; `evc_agent.py follow --after` takes it, and sends
with each line the position that is reached with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"[0-9]{1,18}(,[0-9]{1,18}-[0-9]{1,18}){0,60}")


@dataclass(frozen=True)
class Position:
    """`last` is the highest number received, None for nothing; `holes` (from, to) are below it."""

    last: int | None = None
    holes: tuple[tuple[int, int], ...] = ()

    def has_all(self, first: int, last: int) -> bool:
        """Whether all of the lines of these numbers were received."""
        if self.last is None or last > self.last:
            return False
        return all(last < begin or end < first for begin, end in self.holes)

    def follows(self, before: Position) -> bool:
        """Whether nothing that was received at `before` is lacking here."""
        if before.last is None or self == before:
            return True
        return (
            self.last is not None
            and self.last >= before.last
            and all(before.lacks_all(*hole) for hole in self.holes)
        )

    def lacks_all(self, first: int, last: int) -> bool:
        """Whether none of the lines of these numbers was received."""
        if self.last is None or first > self.last:
            return True
        return any(hole[0] <= first and last <= hole[1] for hole in self.holes)

    def __str__(self) -> str:
        holes = "".join(f",{first}-{last}" for first, last in self.holes)
        return "" if self.last is None else f"{self.last}{holes}"


NOTHING = Position()


def parse(text: object) -> Position:
    """The position that a text says; raises ValueError."""
    if text == "":
        return NOTHING
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        raise ValueError("not a position")
    if text.isdecimal():
        return Position(int(text))
    last, *parts = text.split(",")
    holes = tuple(
        (int(first), int(end)) for first, _, end in (part.partition("-") for part in parts)
    )
    if any(first > end or end > int(last) for first, end in holes):
        raise ValueError("not a position: a hole that is none")
    return Position(int(last), holes)
