"""Names, addresses, versions: what passes, and that nothing else does."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evc.pure import names

Rule = Callable[[str], object]
RULES: dict[str, tuple[Rule, list[str], list[str]]] = {
    "node": (
        names.node_name,
        ["cam01", "CAM-1", "a", "1", "shop.hall_2", "x" * 63],
        ["", "x" * 64, "-a", ".a", "_a", "a b", "all", "All", "NOT", "gpu", "카메라", "a\n", "a/b"],
    ),
    "group": (
        names.group_name,
        ["shop_rpi", "builders", "users"],
        ["builder", "user", "ungrouped", "Builder", "all", "", "a b"],
    ),
    "model": (
        names.model_name,
        ["my-model", "a", "a.b_c", "x" * 48],
        ["", "A", "-a", "a-", "x" * 49, "a;b", "a/b", "..", "a\n", "모델"],
    ),
    "version": (
        names.version,
        ["1.10", "v1", "2024-01-01", "1_000", "x" * 31],
        ["", ".1", "-1", "1+2", "x" * 32, "1 ", "1\n", "../1"],
    ),
    "address": (
        names.address,
        ["192.0.2.1", "edge.example.net", "localhost", "::1", "fe80::1", "a-b", "x" * 253],
        ["", "-oProxyCommand=x", "a_b", "a b", "`id`", "$(id)", "a;b", "a\n", "fe80::1%eth0",
         "a:b", "[::1]", "a-", "a.", "x" * 254, "user@host", "한국"],
    ),
    "user": (
        names.user,
        ["pi", "_apt", "john.doe", "a-b", "x" * 32],
        ["", "-l", "Pi", "a b", "a\x1b", "a\n", "x" * 33, "root;id", "a@b", "1a"],
    ),
    "port": (
        names.port,
        ["1", "22", "65535"],
        ["", "0", "65536", "022", "22 ", " 22", "+22", "-1", "2.2", "٢٢", "22\n", "0x16", "None"],
    ),
    "text": (
        names.safe_text,
        ["", "한글 설명", "a{b}", "100 %", "é\u3000x", "x" * 500],
        ["{{ x }}", "a {% b", "{# c", "a\n", "\x1b[2J", "\x7f", "\x9b2J", "\u202egnp.exe",
         "\u2028", "\ud800", "x" * 501],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, good, _ in RULES.values() for t in good])
def test_passes(rule: Rule, text: str) -> None:
    assert str(rule(text)) == text


@pytest.mark.parametrize(("rule", "text"), [(r, t) for r, _, bad in RULES.values() for t in bad])
def test_refused_without_repeating_what_a_terminal_obeys(rule: Rule, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        rule(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("value", [True, None, 22.0, ["22"], "1" * 5000])
def test_a_port_is_digits_only(value: object) -> None:
    with pytest.raises(ValueError):
        names.port(value)


@given(st.text(max_size=70), st.sampled_from([rule for rule, _, _ in RULES.values()]))
def test_what_passes_is_inert_in_a_shell_and_a_template(text: str, rule: Rule) -> None:
    try:
        rule(text)
    except ValueError:
        return
    if rule is not names.safe_text:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*|:[0-9A-Fa-f:]+", text)
    assert "{{" not in text and "\n" not in text and "\x1b" not in text
