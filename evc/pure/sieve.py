"""Values of hostile origin: each is taken when it is what was asked for, else dropped and counted.

What is simply not there is no drop.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from evc.pure.names import printable

MAX_INTEGER = 2**62
MAX_NAME = 120


class Sieve:
    """Takes values apart; `dropped` counts those that were not taken, by what they were."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()

    def load(self, text: bytes) -> dict[str, Any]:
        """A JSON object; raises ValueError for anything else. NaN and Infinity become nothing."""
        try:
            if b"NaN" in text or b"Infinity" in text:
                found = json.loads(text, parse_constant=self._constant)
            else:  # with json's own decoder: to make one costs half as much as to decode
                found = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found

    def _constant(self, _name: str) -> None:
        self._drop("not a number")

    def number(self, value: object, most: float = MAX_INTEGER, least: float = 0.0) -> float | None:
        """A number from `least` to `most`."""
        if value is None:
            return None
        if type(value) is float or type(value) is int:
            if least <= value <= most:  # NaN is neither, infinity not the one
                return value
            finite = type(value) is int or math.isfinite(value)
            self._drop("out of range" if finite else "not a number")
        else:
            self._drop("not a number")
        return None

    def integer(self, value: object, most: int = MAX_INTEGER) -> int | None:
        found = self.number(value, most)
        return None if found is None else int(found)

    def text(self, value: object, longest: int = MAX_NAME) -> str:
        """Text that a terminal takes for text, '' when there is none."""
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > longest:
            self._drop("not a short text")
            return ""
        if value.isprintable():
            return value
        self._drop("unprintable")
        return printable(value)

    def members(self, value: object) -> dict[str, Any]:
        """An object, {} when there is none."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self._drop("not an object")
        return {}

    def items(self, value: object, most: int) -> list[Any]:
        """The first `most` of a list, [] when there is none."""
        if not isinstance(value, list):
            if value is not None:
                self._drop("not a list")
            return []
        self._excess(len(value) - most)
        return value[:most]

    def series(self, value: object, most: int) -> Iterator[tuple[str, Any]]:
        """(name, value) of an object's first `most` members that have a name."""
        found = self.members(value)
        self._excess(len(found) - most)
        for (key, one), _ in zip(found.items(), range(most), strict=False):
            if name := self.text(key):
                yield name, one

    def _drop(self, what: str) -> None:
        self.dropped[what] += 1

    def _excess(self, more: int) -> None:
        if more > 0:
            self.dropped["too many series"] += more
