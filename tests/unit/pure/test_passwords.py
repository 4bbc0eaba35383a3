"""Files of sudo passwords."""

from __future__ import annotations

import pytest

from evc.pure import passwords
from evc.pure.errors import BadFile

NODES = ["cam01", "cam02"]


def read(text: str) -> dict[str, str]:
    return {name: one.reveal() for name, one in passwords.read(text, "f", NODES).items()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hunter2", {"cam01": "hunter2", "cam02": "hunter2"}),
        ("cam01: hunter2", {"cam01": "hunter2"}),
        ("cam01: a: b #c \ncam02:  x\n", {"cam01": "a: b #c ", "cam02": " x"}),
        ("cam01: a\r\n\r\ncam02: b\r\n", {"cam01": "a", "cam02": "b"}),
    ],
)
def test_one_for_all_or_one_for_each(text: str, found: dict[str, str]) -> None:
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cma01: hunter2", "f:1: -: not a name of these nodes (they are cam01, cam02)"),
        ("cam01: a\nhunter2", "f:2: -: is not NAME: PASSWORD"),
        ("hunter2\nhunter3", "f:1: -: is not NAME: PASSWORD"),
        ("cam01: hunter2\ncam01: b", "f:2: cam01: given twice"),
        ("cam01: \ncam02: a", "f:1: -: is not NAME: PASSWORD"),
    ],
)
def test_what_is_wrong_is_said_without_a_password(text: str, said: str) -> None:
    """A misspelt name must not send one node's password to all of them."""
    with pytest.raises(BadFile) as raised:
        read(text)
    assert said in str(raised.value) and "hunter" not in str(raised.value)


def test_only_a_file_of_one_password_can_be_kept_for_a_node() -> None:
    assert passwords.is_for_all("hunter2\n") and not passwords.is_for_all("cam01: hunter2\n")
