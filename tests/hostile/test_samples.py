"""A hostile node's lines: the bad value is dropped and counted, the rest of the line kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evc.pure import samples
from evc.pure.samples import Sample

GOOD = {"cpu": {"idle": 50.0}, "load": [0.1, 0.2, 0.3]}


def read(text: str) -> tuple[Sample, dict[str, int]]:
    """A sample beside whose good figures something bad lies, and what was dropped of it."""
    found = samples.read(text.encode("utf-8", "surrogatepass"))
    assert isinstance(found.what, Sample)
    assert (found.what.figures["idle"], found.what.figures["load1"]) == (50.0, 0.1)
    text.encode("utf-8", "surrogatepass")
    return found.what, dict(found.dropped)


def line(sample: str, head: str = '"seq": 7, "boot": "b", "up": 5.0, "time": 100.0') -> str:
    good = json.dumps(GOOD)[1:-1]
    return f'{{"at": "7", {head}, "sample": {{{good}, {sample}}}}}'


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("-Infinity", "not a number"),
        ("1e400", "not a number"),
        (str(2**63), "out of range"),
        ("1" * 400, "out of range"),
        ("-1", "out of range"),
        ('"50"', "not a number"),
        ("true", "not a number"),
        ("[50]", "not a number"),
        ('{"a": 1}', "not a number"),
        ('"\'); DROP TABLE sample; --"', "not a number"),
    ],
)
def test_a_value_that_is_no_figure(value: str, what: str) -> None:
    found, dropped = read(line(f'"memory": {{"used": {value}, "total": 1024}}'))
    assert dropped == {what: 1}
    assert (found.figures["memory_used"], found.figures["memory_total"]) == (None, 1024)


@pytest.mark.parametrize(
    "group", ["memory", "network", "io", "disks", "containers", "temperatures"]
)
@pytest.mark.parametrize("value", ["5", '"x"', "[[]]", "true"])
def test_a_group_that_is_none(group: str, value: str) -> None:
    _, dropped = read(line(f'"{group}": {value}'))
    assert dropped["not an object"] >= 1


def test_a_hundred_thousand_series() -> None:
    zones = {f"zone{number}": 20.0 for number in range(100_000)}
    found, dropped = read(line(f'"temperatures": {json.dumps(zones)}'))
    assert len(json.loads(found.detail)["temperatures"]) == samples.MAX_SERIES
    assert dropped == {"too many series": 100_000 - samples.MAX_SERIES}


def test_text_that_a_terminal_would_obey_or_no_database_takes() -> None:
    zones = r'{"\u001b[2Jzone": 20.0, "\ud800": 21.0, "x\u0000": 22.0, "' + "y" * 500 + '": 23.0}'
    found, dropped = read(line(f'"temperatures": {zones}'))
    names = list(json.loads(found.detail)["temperatures"])
    assert names == ["\N{REPLACEMENT CHARACTER}[2Jzone", "\N{REPLACEMENT CHARACTER}",
                     "x\N{REPLACEMENT CHARACTER}"]  # fmt: skip
    assert dropped == {"unprintable": 3, "not a short text": 1}
    assert found.detail.encode().isascii() is False


def test_nobody_says_who_he_is() -> None:
    head = '"seq": 7, "boot": "b", "up": 5.0, "time": 100.0, "node": "another"'
    found, dropped = read(line('"name": "another", "node": "another"', head))
    assert "another" not in repr(found) and dropped == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"at": "7"}',
        '{"at": "7", "sample": {}}',
        '{"at": "7", "follow": {}}',
        '{"at": "7", "follow": {"boot": "b", "up": 1e12, "time": 5}}',
        '{"at": "7", "gap": {"from": 5, "to": 3, "reason": "ring"}}',
        '{"at": "7", "silent": "long"}',
        line('"a": 1').replace('"at": "7"', '"at": "x"'),
        line('"a": 1', head='"seq": -7, "boot": "b", "up": 5.0'),
        line('"a": 1', head='"seq": 7, "boot": "", "up": 5.0'),
        line('"a": 1', head='"seq": 7, "boot": "b", "up": NaN'),
        line('"a": ' + "[" * 100_000),
        line('"a": ' + "[" * 100_000 + "]" * 100_000),
        line('"a": ' + "1" * 5000),
    ],
    ids=lambda text: text[:60],
)
def test_a_line_of_which_nothing_can_be_kept(text: str) -> None:
    with pytest.raises(ValueError):
        samples.read(text.encode())


EVENTS: list[Any] = [
    5,
    {"event": "prediction", "model": "m", "results": 5},
    {"event": "prediction", "model": "m", "results": [5, {"class": 5, "probability": 0.5}]},
    {"event": "prediction", "model": "m", "results": [{"class": "a", "probability": 1.5}]},
    {"event": "metric", "model": "m", "name": "fps", "value": "9"},
    {"event": "metric", "model": "m", "name": {}, "value": 9},
]


@pytest.mark.parametrize("event", EVENTS)
def test_events_that_are_none(event: Any) -> None:
    good = {"event": "metric", "model": "m", "name": "fps", "value": 9}
    found, dropped = read(line(f'"events": {json.dumps([event, good])}'))
    assert found.predictions == () and [one.value for one in found.metrics] == [9]
    assert dropped
