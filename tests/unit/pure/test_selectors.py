"""Selectors: what they select, and that a mistake is never the whole fleet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evc.pure.errors import BadInput
from evc.pure.selectors import Selectable, select

GIGABYTE = 1024**3
NODES = [
    Selectable("cam01", frozenset({"lab"}), {"site": "busan"},
               {"architecture": "aarch64", "memory": 4 * GIGABYTE, "gpu": "Orin", "l4t": ""}),
    Selectable("cam02", frozenset({"lab", "shop"}), {"site": "seoul"},
               {"architecture": "x86_64", "memory": 8 * GIGABYTE, "gpu": ""}),
    Selectable("shop-1", frozenset({"shop"}), {"chip": "arm64"}, {"architecture": "armv7l"}),
    Selectable("new"),
]  # fmt: skip
EVERYONE = [node.name for node in NODES]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", EVERYONE),
        ("cam01", ["cam01"]),
        ("cam02,cam01", ["cam01", "cam02"]),
        ("cam01, shop-1", ["cam01", "shop-1"]),
        (" lab ", ["cam01", "cam02"]),
        ("lab,new", ["cam01", "cam02", "new"]),
        ("cam*", ["cam01", "cam02"]),
        ("cam0[2-9],shop-?", ["cam02", "shop-1"]),
        ("*", EVERYONE),
        ("group=lab", ["cam01", "cam02"]),
        ("lab and shop", ["cam02"]),
        ("lab and not shop", ["cam01"]),
        ("not cam01", ["cam02", "shop-1", "new"]),
        ("cam01 or new", ["cam01", "new"]),
        ("not cam*", ["shop-1", "new"]),
        ("not (lab or shop)", ["new"]),
        ("not not lab", ["cam01", "cam02"]),
        ("lab or shop and not cam02", ["cam01", "cam02", "shop-1"]),
        ("(lab or shop) and not cam02", ["cam01", "shop-1"]),
        ("all and not lab", ["shop-1", "new"]),
        ("all and gpu", ["cam01"]),
        ("not gpu", ["cam02", "shop-1", "new"]),
        ("arch=arm64", ["cam01"]),
        ("arch=amd64 or architecture=aarch64", ["cam01", "cam02"]),
        ("chip=arm64", ["shop-1"]),
        ("mem>=4G", ["cam01", "cam02"]),
        ("mem>4G", ["cam02"]),
        ("memory<=4194304K", ["cam01"]),
        ("mem < 5G and mem > 1", ["cam01"]),
        ("site=bu*", ["cam01"]),
        ("site!=busan", ["cam02", "shop-1", "new"]),
        ("group=lab and arch=aarch64 and gpu and mem>=4G and not site=seoul", ["cam01"]),
        ("name=cam01", ["cam01"]),
        ("site", []),
        ("not all", []),
    ],
)  # fmt: skip
def test_selects(text: str, names: list[str]) -> None:
    if text == "site":
        with pytest.raises(BadInput, match="no node or group is called 'site'"):
            select(text, NODES)
        return
    assert select(text, NODES) == names


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t", ",", "cam01,", "absent", "cam9*", "ALL", "cam01;id", "cam01\n", "a\0b", "..",
     "x" * 2001, "lab and", "and", "not", "or lab", "lab or or shop", "(lab", "lab)", "()", "not )",
     "not and", "not (", "= lab", "site=", "site==busan", "site=and", "mem>=", "mem>=x", "mem>=(",
     "mem=>4G", "!lab", "lab shop", "not lab,shop", "group=lab,shop", "not tpyo", "lab and tpyo",
     "(" * 60 + "lab" + ")" * 60, "not " * 60 + "lab", "(" * 1999],
)  # fmt: skip
def test_refuses_rather_than_guesses(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        select(text, NODES)
    assert len(caught.value.message) < 300


def test_an_empty_selector_names_what_to_say() -> None:
    with pytest.raises(BadInput) as caught:
        select("", NODES)
    assert "--on all" in caught.value.remedy


def test_an_unknown_name_lists_the_groups() -> None:
    with pytest.raises(BadInput) as caught:
        select("lob", NODES)
    assert "lab, shop" in caught.value.remedy


_WORDS = st.sampled_from(
    ["lab", "cam01", "all", "gpu", "and", "or", "not", "(", ")", "=", "!=", ">=", "<", "mem", "4G",
     "site", "busan", "*", "[", "[!", "]", ",", "?", "\\", "name", "١", "카메라"]
)  # fmt: skip


@given(st.one_of(st.lists(_WORDS, max_size=40).map(" ".join), st.text(max_size=200)))
def test_any_text_selects_some_nodes_or_is_bad_input(text: str) -> None:
    try:
        found = select(text, NODES)
    except BadInput as error:
        assert error.message
    else:
        assert found == [name for name in EVERYONE if name in found]
        assert select(f"not ({text})" if "," not in text else "not all", NODES) is not None
