"""Reading by a schema: every problem at once, each with file, line, key, and a near word."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from evc.pure import schema
from evc.pure.errors import BadFile, Exit
from evc.pure.schema import Strict
from evc.pure.yamltext import MAX_PROBLEMS


class Camera(Strict):
    name: str
    fps: Annotated[int, Field(ge=1)] = 25


class Shop(Strict):
    cameras: list[Camera] = Field(default_factory=list)
    by_room: dict[str, Camera] = Field(default_factory=dict)
    door: Camera | None = None
    open: bool = False


def read(text: str) -> Shop:
    return schema.read(text, "shop.yaml", Shop)


def problems(text: str) -> list[str]:
    with pytest.raises(BadFile) as caught:
        read(text)
    assert caught.value.code == Exit.BAD_INPUT
    return [str(one) for one in caught.value.problems]


def test_text_becomes_what_the_schema_says() -> None:
    found = read("cameras:\n - {name: 1.10, fps: 30}\nopen: True\n")
    assert found == Shop(cameras=[Camera(name="1.10", fps=30)], open=True)
    assert read("") == Shop()


def test_an_empty_key_is_as_good_as_absent() -> None:
    assert read("cameras:\ndoor: ~\nopen:\n") == Shop()
    assert problems("cameras:\n - name:\n") == ["shop.yaml:2: cameras.0.name: Field required"]


def test_all_problems_come_together() -> None:
    found = problems("cameras:\n - name: a\n   fps: 0\n - fps: x\nopen: maybe\ncamera: []\n")
    assert [one.rsplit(": ", 1)[0].split(":")[1] for one in found] == ["3", "4", "4", "5", "6"]
    assert found[-1] == "shop.yaml:6: camera: unknown key (did you mean 'cameras'?)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cameras:\n - {name: a, fsp: 1}", "cameras.0.fsp: unknown key (did you mean 'fps'?)"),
        ("by_room:\n  hall: {nam: a}", "by_room.hall.nam: unknown key (did you mean 'name'?)"),
        ("door: {names: a}", "door.names: unknown key (did you mean 'name'?)"),
        ("zzz: 1", "zzz: unknown key"),
        ("zzz:", "zzz: unknown key"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(text: str, said: str) -> None:
    assert any(one.endswith(said) for one in problems(text))


@pytest.mark.parametrize(
    "text", ["- a", "text", "cameras: text", "by_room: [a]", "cameras: {a: b}"]
)
def test_another_shape_is_a_problem_and_no_crash(text: str) -> None:
    assert problems(text)


def test_the_list_of_problems_is_bounded() -> None:
    assert len(problems("".join(f"key{number}: 1\n" for number in range(5000)))) == MAX_PROBLEMS


def test_long_text_is_refused() -> None:
    assert "10000" in problems(f"cameras: [{{name: {'x' * 10_001}}}]")[0]
