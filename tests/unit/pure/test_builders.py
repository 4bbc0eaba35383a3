"""Which builder makes which image: natively, at once, and by emulation only when asked."""

from __future__ import annotations

from typing import Any

import pytest

from evc.pure import builders
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.platforms import Platform

KNOWN = {"arm64-l4t36": Platform(on="l4t=36.*")}


def node(name: str, machine: str, **facts: Any) -> Node:
    return Node(1, name, "192.0.2.1", builder=True, facts={"architecture": machine, **facts})


def names(found: tuple[list[builders.Round], dict[str, EvcError]]) -> list[dict[str, str]]:
    return [{platform: one.name for platform, one in each.items()} for each in found[0]]


def test_each_platform_by_a_builder_of_its_own_architecture_at_once() -> None:
    ready = [node("a", "x86_64", emulates=["arm64"]), node("b", "aarch64")]
    found = builders.rounds({"amd64", "arm64"}, {}, ready, emulate=True)
    assert names(found) == [{"amd64": "a", "arm64": "b"}]


def test_a_builder_does_one_after_the_other_and_two_share_the_work() -> None:
    wanted = {"arm64", "arm64-l4t36"}
    assert names(builders.rounds(wanted, KNOWN, [node("a", "aarch64")])) == [
        {"arm64": "a"},
        {"arm64-l4t36": "a"},
    ]
    two = [node("a", "aarch64", l4t="36.3.0"), node("b", "aarch64")]
    assert names(builders.rounds(wanted, KNOWN, two)) == [{"arm64": "b", "arm64-l4t36": "a"}]


def test_nobody_emulates_unasked() -> None:
    ready = [node("a", "x86_64", emulates=["arm64"])]
    _, problems = builders.rounds({"arm64"}, {}, ready)
    assert "no builder for arm64" in problems["arm64"].message
    assert "--emulate: a can" in problems["arm64"].remedy
    assert names(builders.rounds({"arm64"}, {}, ready, emulate=True)) == [{"arm64": "a"}]


@pytest.mark.parametrize("facts", [{}, {"emulates": ["armv7"]}, {"emulates": "arm64"}])
def test_what_cannot_be_emulated_names_the_package(facts: dict[str, Any]) -> None:
    _, problems = builders.rounds({"arm64"}, {}, [node("a", "x86_64", **facts)], emulate=True)
    assert "qemu-user-static" in problems["arm64"].remedy


def test_a_platform_that_nobody_builds_stops_no_other() -> None:
    found = builders.rounds({"amd64", "arm64", "armv7"}, {}, [node("a", "aarch64")])
    assert names(found) == [{"arm64": "a"}] and list(found[1]) == ["amd64", "armv7"]
