"""Settings: what is nearer wins, groups may not disagree, secrets are files."""

from __future__ import annotations

import pytest

from evc.pure.errors import BadInput
from evc.pure.secret import Secret
from evc.pure.settings import Kind, Scope, Setting, effective, resolved, setting

FLEET, NODE = Scope("fleet"), Scope("node", "cam01")


def one(scope: Scope, value: str, key: str = "A", kind: Kind = "variable") -> Setting:
    return setting(scope, kind, key, value)


def value(*known: Setting, groups: tuple[str, ...] = ("shop", "busan")) -> str | None:
    found = effective(known, "cam01", groups, "eye").get("A")
    return found.value.reveal() if found else None


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        (NODE, Scope("group", "shop")),
        (NODE, Scope("group", "shop", "eye")),
        (Scope("group", "shop"), FLEET),
        (Scope("fleet", "", "eye"), FLEET),
        (Scope("node", "cam01", "eye"), NODE),
    ],
)
def test_what_is_nearer_wins(nearer: Scope, farther: Scope) -> None:
    assert value(one(nearer, "near"), one(farther, "far")) == "near"
    assert value(one(farther, "far"), one(nearer, "near")) == "near"


@pytest.mark.parametrize(
    "scope",
    [Scope("node", "cam02"), Scope("group", "lab"), Scope("fleet", "", "ear")],
)
def test_what_is_for_others_does_not_hold(scope: Scope) -> None:
    assert value(one(scope, "x")) is None


def test_groups_that_disagree_are_named_and_a_node_decides() -> None:
    two = one(Scope("group", "shop"), "1"), one(Scope("group", "busan"), "2")
    with pytest.raises(BadInput, match="group shop and another in group busan") as caught:
        value(*two)
    assert caught.value.remedy == "evc config set A=… --node cam01"
    assert value(*two, one(NODE, "3")) == "3"
    assert value(two[0], one(Scope("group", "busan"), "1")) == "1"


def test_a_secret_is_a_file_that_a_variable_names() -> None:
    known = [one(FLEET, "hush", "TOKEN", "secret"), one(FLEET, "{}", "zones.json", "file")]
    found = resolved(effective([*known, one(NODE, "0.5")], "cam01", (), "eye"))
    assert found.variables == {"A": "0.5", "TOKEN_FILE": "/run/evc/secrets/TOKEN"}
    assert found.files == {"secrets/TOKEN": Secret("hush"), "files/zones.json": Secret("{}")}
    assert "hush" not in repr(found)


def test_people_see_no_secret() -> None:
    assert one(FLEET, "hush", "T", "secret").shown == "[REDACTED]"
    assert one(FLEET, "0.5").shown == "0.5"
    assert one(FLEET, "x" * 2000, "f", "file").shown == "2,000 characters"


@pytest.mark.parametrize(
    ("kind", "key", "text", "said"),
    [
        ("variable", "1A", "x", "is not a variable's name"),
        ("variable", "A B", "x", "is not a variable's name"),
        ("variable", "A=B", "x", "is not a variable's name"),
        ("secret", "../x", "x", "is not a variable's name"),
        ("file", "../x", "x", "is not a file's name"),
        ("file", ".hidden", "x", "is not a file's name"),
        ("variable", "EVC_NODE", "x", "is not for settings"),
        ("variable", "LD_PRELOAD", "x", "is not for settings"),
        ("variable", "A", "a\nb", "control characters"),
        ("secret", "A", "a\0b", "control characters"),
        ("file", "A", "x" * 500_001, "is longer than"),
        ("variable", "A", "rtsp://user:hush@192.0.2.1/1", "holds a password"),
    ],
)
def test_what_is_no_setting_is_refused(kind: Kind, key: str, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        setting(FLEET, kind, key, text)
    assert "hush" not in str(caught.value)
