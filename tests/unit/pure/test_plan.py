"""From what is wished and what was seen to actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evc.pure.observations import Container, Engine, Facts, Observation
from evc.pure.plan import ImageRef, Trust, Wish, plan

DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
TRUST = Trust(program="p1", login="l1", mark="fleet", certs={"r:5443": "ca1"})
WISH = Wish("eye", "1.0+1", ImageRef("m", DIGEST), "amd64", "s1", {}, {})
SERVING = Container(model="eye", release="1.0+1", spec="s1", digest=DIGEST, container="c1",
                    running=True, restart="always")  # fmt: skip
SEEN = Observation(
    program="p1", mark="fleet", clock=1.0, facts=Facts(architecture="x86_64"),
    certs={"r:5443": "ca1"}, login="l1", engine=Engine(version="27"), models=[SERVING],
    images={"sha256:previous": True},
)  # fmt: skip


def seen(**changed: Any) -> Observation:
    return SEEN.model_copy(update=changed)


def container(**changed: Any) -> Container:
    return SERVING.model_copy(update=changed)


def actions(found: Observation, *wishes: Wish) -> list[str]:
    return [str(action) for action in plan(found, TRUST, wishes).actions]


def test_nothing_to_do_where_all_is_as_wished() -> None:
    found = plan(SEEN, TRUST, [WISH])
    assert (found.actions, found.blocked) == ((), "")


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"program": "p0"}, "program (another version"),
        ({"certs": {}}, "ca (no CA for r:5443)"),
        ({"certs": {"r:5443": "old"}}, "ca (another CA for r:5443)"),
        ({"login": ""}, "login (no registry login)"),
        ({"login": "l0"}, "login (old login)"),
    ],
)
def test_what_a_registered_node_lacks_is_repaired(changed: dict[str, Any], kind: str) -> None:
    found = actions(seen(**changed), WISH)
    assert len(found) == 1 and found[0].startswith(kind)


def test_a_registry_without_tls_waits_for_who_may_tell_docker() -> None:
    trust = replace(TRUST, insecure=("r:5000",))
    found = plan(SEEN, trust, [WISH])
    assert found.actions == () and "evc node add" in found.blocked
    told = Engine(version="27", insecure=["127.0.0.0/8", "r:5000"])
    assert plan(seen(engine=told), trust, [WISH]).blocked == ""


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ([], "not there"),
        ([container(model="other")], "not there"),
        ([container(digest=OTHER, release="0.9+0")], "0.9+0 serves"),
        ([container(spec="s0")], "its settings changed"),
        ([container(running=False)], "stopped"),
        ([container(restart="no")], "would not come back with the engine"),
        ([container(swapping=True)], "a swap was interrupted"),
        ([SERVING, container(digest=OTHER)], "more than one container of it"),
        ([SERVING, container(swapping=True)], "a swap was interrupted"),
    ],
)
def test_a_model_that_is_not_as_wished_is_swapped(models: list[Container], reason: str) -> None:
    assert actions(seen(models=models), WISH) == [f"swap ({reason})"]


def test_a_previous_image_that_is_gone_is_pulled_again() -> None:
    wish = replace(WISH, previous=ImageRef("m", "sha256:previous"))
    assert actions(SEEN, wish) == []
    for images in ({}, {"sha256:previous": False}):
        found = actions(seen(images=images), wish)
        assert found == ["pull (the previous release's image is gone)"]


def test_repairs_come_before_models() -> None:
    found = plan(seen(program="p0", login="", certs={}, models=[]), TRUST, [WISH]).actions
    assert [action.kind for action in found] == ["program", "ca", "login", "swap"]
    assert found[-1].wish == WISH


def test_each_wish_is_looked_at_by_itself() -> None:
    other = replace(WISH, model="ear")
    assert actions(SEEN, WISH, other) == ["swap (not there)"]
    assert actions(seen(models=[SERVING, container(model="ear")]), WISH, other) == []


def test_another_fleets_node_is_left_alone() -> None:
    found = plan(seen(mark="theirs", program="p0"), TRUST, [WISH])
    assert "another fleet (theirs)" in found.blocked and not found.actions


def test_without_an_engine_models_are_blocked_and_repairs_are_not() -> None:
    dead = seen(engine=None, engine_problem="no socket", program="p0")
    assert "no socket" in plan(dead, TRUST, [WISH]).blocked
    assert [action.kind for action in plan(dead, TRUST, []).actions] == ["program"]
