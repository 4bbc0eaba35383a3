"""Minutes of a metered node: what a line stands for, and the compressed text it comes in."""

from __future__ import annotations

import binascii
import json
import zlib
from typing import Any

import pytest

from evc.pure import minutes, samples
from evc.pure.minutes import Unzipped
from evc.pure.samples import Sample

MINUTE: dict[str, Any] = {
    "from": 4, "count": 3, "low": {"cpu": {"idle": 20.0}, "load": [0.1]},
    "high": {"cpu": {"idle": 90.0}}, "there": {"cpu": {"idle": 66.67}},
}  # fmt: skip


def line(**minute: Any) -> bytes:
    head = {"at": "7", "seq": 7, "boot": "b", "up": 60.0, "time": 100.0}
    sample = {"cpu": {"idle": 50.0}, "load": [0.2, 0.3, 0.4]}
    return json.dumps({**head, "minute": {**MINUTE, **minute}, "sample": sample}).encode()


def read(**minute: Any) -> tuple[Sample, dict[str, int]]:
    found = samples.read(line(**minute))
    assert isinstance(found.what, Sample)
    return found.what, dict(found.dropped)


def test_what_a_line_stands_for() -> None:
    found, dropped = read()
    assert found.minute and not dropped
    assert (found.first, found.seq, found.minute.count) == (4, 7, 3)
    assert found.figures["idle"] == 50.0
    assert found.minute.spans["idle"] == (20.0, 50.0, 90.0, 2)
    assert found.minute.spans["load1"] == (0.1, 0.2, 0.2, 3)
    assert minutes.spans(found.detail) == found.minute.spans


def test_a_mean_lies_between_whatever_is_said() -> None:
    found, _ = read(low={"cpu": {"idle": 80.0}}, high={"cpu": {"idle": 1.0}}, there={"cpu": 5})
    assert found.minute and found.minute.spans["idle"] == (50.0, 50.0, 50.0, 3)
    found, dropped = read(high={"cpu": {"idle": 1e9}}, there={"cpu": {"idle": 100}})
    assert found.minute and found.minute.spans["idle"] == (20.0, 50.0, 50.0, 3)
    assert dropped == {"out of range": 1}


@pytest.mark.parametrize("wrong", [{"from": None}, {"count": 0}, {"count": 10**9}, {"count": "3"},
                                   {"from": -1}])  # fmt: skip
def test_a_minute_that_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a minute that is none"):
        read(**wrong)


def test_two_of_them_together() -> None:
    assert minutes.both((1.0, 2.0, 3.0, 1), (0.5, 6.0, 7.0, 3)) == (0.5, 5.0, 7.0, 4)


def zipped(text: bytes, stream: Any = None) -> bytes:
    stream = stream or zlib.compressobj()
    packed = stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)
    return b'{"z":"%s"}' % binascii.b2a_base64(packed, newline=False)


def test_one_stream_for_all_lines() -> None:
    stream, unzipped = zlib.compressobj(), Unzipped()
    assert unzipped.lines(zipped(b"one\ntwo\n", stream)) == [b"one", b"two"]
    assert unzipped.lines(b'{"at":"1"}') == [b'{"at":"1"}']
    assert unzipped.lines(zipped(b"three\n", stream)) == [b"three"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"z":"',
        b'{"z":"a"}',
        b'{"z":"\xff\xfe"}',
        b'{"z":"AAAA"}',
        zipped(b"not a whole line"),
        zipped(b"x" * 500_000_000 + b"\n"),
    ],
    ids=lambda text: str(text[:30]),
)
def test_compressed_text_that_is_none(text: bytes) -> None:
    with pytest.raises(ValueError, match="compressed text"):
        Unzipped().lines(text)
