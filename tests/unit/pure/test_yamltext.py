"""YAML as text: what was typed stays, and each problem has its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evc.pure import yamltext
from evc.pure.errors import BadFile


def value(text: str) -> object:
    return yamltext.parse(text, "f.yaml").value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1.10", {"a": "1.10"}),
        ("a: no", {"a": "no"}),
        ("no: a", {"no": "a"}),
        ("a: 22:22", {"a": "22:22"}),
        ("22:22", "22:22"),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: !!int 1.10", {"a": "1.10"}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: null", {"a": None}),
        ("a: 'null'", {"a": "null"}),
        ("a: None", {"a": "None"}),
        ('a: ""', {"a": ""}),
        ("[1, [a]]", ["1", ["a"]]),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("이름: 카메라", {"이름": "카메라"}),
        ("", None),
        ("# only a comment", None),
    ],
)
def test_scalars_stay_text(text: str, expected: object) -> None:
    assert value(text) == expected


def test_aliases_are_what_they_stand_for_as_keys_too() -> None:
    assert value("g: [&g1 one, &g2 two]\nt:\n  *g1:\n  - x\n  *g2 : *g1\n") == {
        "g": ["one", "two"],
        "t": {"one": ["x"], "two": "one"},
    }


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("c: {<<: *a, y: 9}", {"y": "9", "x": "1"}),
        ("c: {x: 9, <<: *a}", {"x": "9", "y": "2"}),
        ("c: {<<: *b}", {"x": "1", "y": "3"}),
        ("c: {<<: [*a, *b]}", {"x": "1", "y": "2"}),
        ("c: {<<: [*b, *a], z: 4}", {"x": "1", "y": "3", "z": "4"}),
    ],
)
def test_merge_keys_come_behind_a_mappings_own(text: str, merged: object) -> None:
    found = value(f"a: &a {{x: 1, y: 2}}\nb: &b {{<<: *a, y: 3}}\n{text}\n")
    assert isinstance(found, dict) and found["c"] == merged


def test_each_path_knows_its_line() -> None:
    document = yamltext.parse("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n", "f.yaml")
    assert document.line(("a",)) == 1
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d")) == 5
    assert document.line(("b", 1, "absent", 7)) == 4
    assert document.line(("absent",)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "f.yaml:2: a: key given twice"),
        ("a:\n  b: 1\n  b: 2\n", "f.yaml:3: a.b: key given twice"),
        ("a:\n  [b]: 1", "f.yaml:2: a: key is not text"),
        ("a:\n  {b: c}: 1", "f.yaml:2: a: key is not text"),
        ("<<: {[a]: b}", "f.yaml:1: -: key is not text"),
        ('"a\\e[2J": 1', "f.yaml:1: -: key is not text"),
        ('"\\uD800": 1', "f.yaml:1: -: key is not text"),
        ("a: [1", "f.yaml:1: -:"),
        ("a: 1\n b: 2", "f.yaml:2: -:"),
        ("a: *nowhere", "f.yaml:1: -: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: -: but found another document"),
        ("\x00", "f.yaml:1: -: not YAML"),
        ('"\\UFFFFFFFF"', "f.yaml:1: -: not YAML"),
        ("a:\t- b", "f.yaml:1: -:"),
    ],
)
def test_problems_have_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        value(text)
    assert str(caught.value).startswith(said)
    assert "\x1b" not in str(caught.value)


def test_all_keys_given_twice_are_reported_together_but_not_without_end() -> None:
    with pytest.raises(BadFile) as caught:
        value("a: 1\nb: 1\na: 2\nb: 2\n")
    assert [one.line for one in caught.value.problems] == [3, 4]
    with pytest.raises(BadFile) as caught:
        value("a: 1\n" * 1000)
    assert len(caught.value.problems) == yamltext.MAX_PROBLEMS


@given(st.text(st.sampled_from("ab1:&*-[]{},<>!|#'\"\\ \n\te~?%@`"), max_size=60))
def test_any_text_is_a_value_or_a_bad_file(text: str) -> None:
    try:
        value(text)
    except BadFile as error:
        assert error.problems
