"""What is worth waking somebody for, from what was seen."""

from __future__ import annotations

from datetime import datetime

import pytest

from evc.pure import schema
from evc.pure.alerts import AlertSettings, Seen, Threshold, firing, message
from evc.pure.config import ServerConfig
from evc.pure.errors import BadFile

NOW = datetime(2026, 5, 1, 12, 0).timestamp()
SETTINGS = AlertSettings(groups={"flaky": 3600})


def seen(name: str, up: bool = True, ago: float = 4000.0, **more: object) -> Seen:
    given: dict[str, object] = {"groups": (), "reason": "no route", "sample_age": 3.0, **more}
    return Seen(name, up=up, since=NOW - ago, **given)  # type: ignore[arg-type]


def kinds(*nodes: Seen, settings: AlertSettings = SETTINGS) -> set[tuple[str, str]]:
    return set(firing(settings, nodes, NOW))


def test_a_node_is_down_beyond_its_groups_tolerance() -> None:
    well = seen("well")
    assert kinds(well, seen("a", up=False, ago=299)) == set()
    assert kinds(well, seen("a", up=False, ago=300)) == {("a", "down")}
    assert kinds(well, seen("a", up=False, ago=3599, groups=("flaky",))) == set()
    assert kinds(well, seen("a", up=False, ago=3600, groups=("flaky",))) == {("a", "down")}


def test_forty_nodes_down_are_the_controllers_own_link() -> None:
    forty = [seen(f"n{number}", up=False, ago=400) for number in range(40)]
    assert kinds(*forty) == {("", "link")}
    assert len(kinds(*forty, seen("well"))) == 40
    assert kinds(forty[0]) == {("n0", "down")}


def test_the_controllers_own_node_does_not_count() -> None:
    forty = [seen(f"n{number}", up=False, ago=400) for number in range(40)]
    assert kinds(*forty, seen("here", local=True)) == {("", "link")}


def test_when_the_link_is_back_the_others_have_their_time_anew() -> None:
    first, forty = seen("a", ago=299), [seen(f"n{n}", up=False, ago=900) for n in range(40)]
    assert kinds(first, *forty) == set()
    assert len(kinds(seen("a", ago=300), *forty)) == 40
    assert len(kinds(first, seen("stayed", ago=1000), *forty)) == 40


def test_what_stood_of_a_node_that_is_down_is_not_over() -> None:
    standing = {("n0", "down"): "cannot be reached: x", ("n1", "temperature above 80"): "hot"}
    gone = [seen(f"n{number}", up=False, ago=400) for number in range(2)]
    assert {*firing(SETTINGS, gone, NOW, standing)} == {*standing, ("", "link")}
    one_back = [seen("n0"), gone[1]]
    assert {*firing(SETTINGS, one_back, NOW, standing)} == {
        ("n1", "temperature above 80"), ("n1", "down")}  # fmt: skip
    assert firing(SETTINGS, [seen("n0"), seen("n1")], NOW, standing) == {}


def test_an_engine_or_a_model_that_does_not_run() -> None:
    ill = seen("a", engine="no such file", stopped=["face"])
    found = firing(SETTINGS, [ill], NOW)
    assert found["a", "engine"] == "Docker does not answer: no such file"
    assert found["a", "stopped face"] == "face should run, and does not"


def test_connected_without_a_sample_is_silence() -> None:
    assert kinds(seen("a", sample_age=299.0)) == set()
    assert kinds(seen("a", sample_age=300.0)) == {("a", "silent")}
    assert kinds(seen("a", sample_age=None)) == {("a", "silent")}
    assert kinds(seen("a", sample_age=9000.0, ago=5)) == set()  # its backlog is on the way


def test_quiet_models_in_opening_hours() -> None:
    quiet = seen("a", quiet=("face",))
    assert kinds(quiet) == {("a", "quiet face")}
    assert kinds(quiet, settings=AlertSettings(hours="08:00-11:59")) == set()
    assert kinds(quiet, settings=AlertSettings(hours="22:00-12:00")) == {("a", "quiet face")}


def test_one_message_of_all() -> None:
    hot = Threshold(figure="temperature", above=80)
    fired = firing(SETTINGS, [seen("b", exceeded=[hot]), seen("a", unhealthy=["face"])], NOW)
    resolved = {("c", "down"): "cannot be reached: x"}
    assert message(fired, resolved, {"a": "부산 1호점"}).splitlines() == [
        "a (부산 1호점): face is unhealthy, or restarts again and again",
        "b: temperature above 80",
        "c: resolved: cannot be reached: x",
    ]


@pytest.mark.parametrize(
    "line",
    ["webhook: file:///etc/passwd", "webhook: https://user:word@host/", "hours: 8-12",
     "thresholds: [{figure: cpu}]", "thresholds: [{figure: x, above: 1}]",
     "thresholds: [{figure: cpu, above: 1, below: 2}]", "down_after: -1", "dwon_after: 1"],
)  # fmt: skip
def test_settings_that_are_wrong_are_named(line: str) -> None:
    with pytest.raises(BadFile, match=r"ServerConfig.yaml:2: alerts"):
        schema.read(f"alerts:\n  {line}\n", "ServerConfig.yaml", ServerConfig)
