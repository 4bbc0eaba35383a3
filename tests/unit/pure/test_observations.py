"""A node's answer: a hostile one is refused, with little said and nothing kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evc.pure import observations
from evc.pure.errors import EvcError
from evc.pure.observations import MAX_CHARACTERS

CONTAINER = {"model": "eye", "release": "1+0", "spec": "s", "digest": "sha256:0",
             "container": "c", "running": True}  # fmt: skip
ANSWER: dict[str, Any] = {
    "program": "p", "clock": 1.5, "facts": {"architecture": "aarch64", "memory": 2**40},
    "engine": {"version": "27.1"}, "models": [CONTAINER], "images": {"r/m@sha256:0": True},
    "certs": {"r:5443": "ca"}, "engine_problem": "",
}  # fmt: skip


def changed(**values: Any) -> str:
    return json.dumps({**ANSWER, **values})


def facts(**values: Any) -> str:
    return changed(facts={**ANSWER["facts"], **values})


def test_an_answer_is_read() -> None:
    found = observations.read(json.dumps(ANSWER))
    assert (found.facts.architecture, found.facts.memory) == ("aarch64", 2**40)
    assert found.engine is not None and found.engine.version == "27.1"
    assert found.models[0].digest == "sha256:0"


def test_what_a_newer_program_adds_is_left_aside() -> None:
    assert observations.read(changed(new=1, engine=None)).engine is None


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", "text", "\x1b[2J", "{" * 10_000, "[" * 100_000, "\ud800",
        changed()[:-1], changed() + changed(),
        changed(clock=float("nan")), changed(clock=float("inf")), changed(clock=-1),
        changed(clock=1e12), changed().replace("1.5", "1e400"),
        facts(memory=-1), facts(memory=2**63), facts(memory=1e300), facts(memory="much"),
        facts(cpus=float("inf")), facts(architecture=None), facts(architecture="x" * 301),
        facts(gpu=["x"]), facts(os="\ud800"),
        changed(facts=None), changed(models=[CONTAINER] * 501), changed(models={}),
        changed(models=[{**CONTAINER, "running": "perhaps"}]),
        changed(models=[{**CONTAINER, "model": "m" * 301}]),
        changed(images={f"image{number}": True for number in range(1001)}),
        changed(certs={f"host{number}": "ca" for number in range(201)}),
        changed(certs={"h" * 301: "ca"}),
        changed(engine={"version": "1", "runtimes": ["r"] * 51}),
        changed(engine_problem="x" * 2001), changed(program={"$ref": "#"}),
        " " * (MAX_CHARACTERS + 1),
    ],
)  # fmt: skip
def test_a_hostile_answer_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(EvcError, match="the node's answer") as caught:
        observations.read(text)
    assert len(str(caught.value)) < 300
    assert caught.value.message.isprintable()


def test_a_hostile_key_is_not_shown_to_the_terminal() -> None:
    with pytest.raises(EvcError) as caught:
        observations.read(changed(certs={"\x1b[2J\n" + "h" * 301: "ca"}))
    assert caught.value.message.isprintable()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*ANSWER, "new"]), _JSON))
def test_any_json_is_an_observation_or_an_error(values: dict[str, Any]) -> None:
    try:
        found = observations.read(changed(**values))
    except EvcError:
        return
    assert 0 <= found.clock < 1e11 and found.facts.memory < 2**62
