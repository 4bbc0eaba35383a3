"""Minutes of a metered node: a line stands for several samples. And the text they come in.

The line's own figures are means; beside them it says from which number on, how many samples, and of
each figure the least, the highest and in how many % of the samples it was there.
"""

from __future__ import annotations

import binascii
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evc.pure.sieve import Sieve

MAX_COUNT = 10_000
MAX_TEXT = 2_000_000  # of one compressed line, unpacked

Figures = Mapping[str, float | None]
# Least, mean, highest, and of how many.
Four = tuple[float, float, float, int]


@dataclass(frozen=True)
class Minute:
    """What a line stands for: `count` samples from number `first` on; figure → its four."""

    first: int
    count: int
    spans: Mapping[str, Four]

    @property
    def detail(self) -> dict[str, Any]:
        """What is kept of it in `sample.detail`."""
        return {"first": self.first, "spans": self.spans}


def read(
    sieve: Sieve, value: object, means: Figures, figures: Callable[[Sieve, dict[str, Any]], Figures]
) -> Minute | None:
    """The minute that a line is; None for a line of one sample. Raises ValueError.

    `figures` reads the figures of what has the shape of a sample.
    """
    if value is None:
        return None
    found = sieve.members(value)
    first, count = sieve.integer(found.get("from")), sieve.integer(found.get("count"), MAX_COUNT)
    if first is None or not count:
        raise ValueError("a minute that is none")
    low, high, there = (
        figures(sieve, sieve.members(found.get(key))) for key in ("low", "high", "there")
    )
    spans = {
        name: _four(low.get(name), mean, high.get(name), there.get(name), count)
        for name, mean in means.items()
        if mean is not None
    }
    return Minute(first, count, spans)


def _four(
    low: float | None, mean: float, high: float | None, there: float | None, count: int
) -> Four:
    """What an honest agent cannot say is set right: the mean lies between the others."""
    least = mean if low is None else min(low, mean)
    most = mean if high is None else max(high, mean)
    had = count if there is None else round(there * count / 100)
    return least, mean, most, max(1, min(had, count))


def spans(detail: str) -> dict[str, Four]:
    """Figure → its four, of the `detail` of a row that stands for several samples."""
    return {name: (*four,) for name, four in json.loads(detail)["minute"]["spans"].items()}


def both(one: Four, other: Four) -> Four:
    """The four of all samples together."""
    count = one[3] + other[3]
    mean = (one[1] * one[3] + other[1] * other[3]) / count
    return min(one[0], other[0]), mean, max(one[2], other[2]), count


class Unzipped:
    """Lines out of a connection's lines that are `{"z":BASE64}` of one zlib stream."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def lines(self, text: bytes) -> list[bytes]:
        """The lines in one; raises ValueError, after which the stream is of no use any more."""
        if not text.startswith(b'{"z":"'):
            return [text]
        try:
            packed = binascii.a2b_base64(text[6:-2], strict_mode=True)
            found = self._stream.decompress(packed, MAX_TEXT)
        except (binascii.Error, zlib.error) as error:
            raise ValueError(f"compressed text that is none: {error}") from None
        if self._stream.unconsumed_tail or not found.endswith(b"\n"):
            raise ValueError("compressed text that is too long, or cut off")
        return found.splitlines()
