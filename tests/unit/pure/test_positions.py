"""How far a ring was received: what is lacking, and that nothing lacks again."""

from __future__ import annotations

import pytest

from evc.pure.positions import NOTHING, Position, parse

SOME = Position(20, ((15, 18), (3, 9)))


@pytest.mark.parametrize("position", [NOTHING, Position(7), SOME])
def test_its_text_is_the_agents(position: Position) -> None:
    assert parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [None, 5, "x", "-1", "1,2", "1,2-", "20,9-3", "20,15-21", "٣", "1" * 19, "9" + ",1-2" * 61],
)
def test_what_is_no_position(text: object) -> None:
    with pytest.raises(ValueError, match="not a position"):
        parse(text)


def test_what_is_lacking() -> None:
    lacking = [*range(3, 10), *range(15, 19), 21, 22]
    assert [seq for seq in range(1, 23) if SOME.lacks_all(seq, seq)] == lacking
    assert [seq for seq in range(1, 23) if not SOME.has_all(seq, seq)] == lacking
    assert SOME.lacks_all(3, 9) and not SOME.lacks_all(3, 10) and not SOME.lacks_all(20, 21)
    assert SOME.has_all(10, 14) and not SOME.has_all(10, 15) and not SOME.has_all(1, 3)
    assert NOTHING.lacks_all(0, 0) and not NOTHING.has_all(0, 0)


@pytest.mark.parametrize(
    ("after", "follows"),
    [
        (SOME, True),
        (Position(20), True),
        (Position(30, ((21, 28), (15, 18), (5, 9))), True),
        (Position(30, ((19, 28),)), False),  # 19 was received
        (Position(30, ((2, 9),)), False),
        (Position(19, ((15, 18),)), False),
        (NOTHING, False),
    ],
)
def test_nothing_that_was_received_lacks_again(after: Position, follows: bool) -> None:
    assert after.follows(SOME) is follows
    assert after.follows(NOTHING)
