"""The live view's nodes: below each of their groups, and what is worth looking at first."""

from __future__ import annotations

import pytest

from evc.pure.watching import ORDERS, Seen, by_group, spark

NODES = [
    Seen("a", groups=("shop",), state="up", age=3.0, busy=10.0, temperature=50.0, models="lamp 1"),
    Seen("b", groups=("lab", "shop"), state="down", reason="cut off", age=900.0, busy=95.0,
         models="fish 2"),
    Seen("c", groups=("shop",), state="up", reason="no sample comes", age=70.0, temperature=81.0,
         models="fish 1"),
    Seen("d", groups=("shop",), state="unknown", reason="never heard"),
]  # fmt: skip
BEST = {"n": "abcd", "c": "bacd", "t": "cabd", "m": "dcba", "s": "bdca", "a": "dbca"}


@pytest.mark.parametrize("key", ORDERS)
def test_each_key_sorts_within_each_group(key: str) -> None:
    for backwards in (False, True):
        groups = by_group(NODES, key, backwards)
        found = {group: "".join(one.name for one in inside) for group, inside in groups}
        assert found == {"lab": "b", "shop": BEST[key][::-1] if backwards else BEST[key]}


def test_a_node_without_a_group_is_there_too() -> None:
    assert by_group([Seen("x")], "n", False) == [("", [Seen("x")])]


def test_bars_are_right_aligned_and_in_bounds() -> None:
    assert spark([-1.0, 50.0, 101.0], 5) == "  ▁▅█" and spark([0.0] * 9, 3) == "▁▁▁"
