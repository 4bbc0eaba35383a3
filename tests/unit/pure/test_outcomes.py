"""Outcomes of steps as one: what failed first is what is said."""

from __future__ import annotations

import pytest

from evc.pure.outcomes import NodeOutcome, Outcome, merged

DONE, NOTHING = NodeOutcome("done", ("swap",)), NodeOutcome("nothing")
FAILED, PENDING = NodeOutcome("failed", reason="refused"), NodeOutcome("pending", reason="later")


@pytest.mark.parametrize(
    ("steps", "word", "reason"),
    [
        ([FAILED, PENDING], "failed", "refused"),
        ([FAILED, DONE], "failed", "refused"),
        ([DONE, PENDING], "pending", "later"),
        ([DONE, NOTHING], "done", ""),
        ([NOTHING, DONE], "done", ""),
        ([NOTHING, NOTHING], "nothing", ""),
    ],
)
def test_two_steps_on_one_node(steps: list[NodeOutcome], word: str, reason: str) -> None:
    found = merged([{"a": one} for one in steps])["a"]
    assert (found.outcome, found.reason) == (word, reason)


@pytest.mark.parametrize(
    ("words", "whole", "code"),
    [
        (["done", "pending"], "partial", 3),
        (["failed", "pending"], "failed", 1),
        (["nothing", "done"], "done", 0),
        (["nothing"], "nothing", 0),
    ],
)
def test_the_whole_of_a_command(words: list[str], whole: str, code: int) -> None:
    by_word = {"done": DONE, "nothing": NOTHING, "failed": FAILED, "pending": PENDING}
    found = Outcome({str(place): by_word[word] for place, word in enumerate(words)})
    assert (found.word, int(found.exit)) == (whole, code)
