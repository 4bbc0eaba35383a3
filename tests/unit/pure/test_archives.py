"""Limits and rules over members, without a file. tests/hostile/test_archives.py has real ones."""

from __future__ import annotations

from itertools import islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evc.pure import archives
from evc.pure.archives import MAX_BYTES, MAX_DEPTH, MAX_MEMBERS, MAX_NAME, Kind, Member, check
from evc.pure.errors import BadInput

GIGABYTE = 1024**3


def test_what_belongs_together_passes() -> None:
    check(
        [
            Member(".", "folder", 0o755),
            Member("./code/", "folder", 0o755),
            Member("code", "folder", 0o755),
            Member("code/app.py", "file", size=100),
            Member("code/app.py", "file", size=120),
            Member("code/again.py", "link", linkname="code/app.py"),
            Member("code/link.py", "symlink", linkname="./app.py"),
            Member("code/deep/up", "symlink", linkname="../../code/app.py"),
            Member("here", "symlink", linkname="."),
            Member("모델/가중치.bin", "file", size=10 * GIGABYTE),
        ]
    )


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([Member("a", "file", size=MAX_BYTES), Member("b", "file", size=1)], "'b'"),
        ([Member("a", "file", size=-1)], "unpack"),
        (repeat(Member("a", "file"), MAX_MEMBERS + 1), "1,000,000 entries"),
        ([Member("a" * (MAX_NAME + 1), "file")], "longer than"),
        ([Member("a/" * MAX_DEPTH + "a", "file")], "folders deep"),
        ([Member(".", "symlink", linkname="x")], "archive's own"),
        ([Member("a", "symlink")], "leads out"),
        ([Member("a/b", "symlink", linkname="../x/../..")], "leads out"),
        ([Member("a", "link", linkname="b"), Member("b", "file")], "no file before it"),
        ([Member("b", "file"), Member("a", "link", linkname="/b")], "no file before it"),
        ([Member("a", "file"), Member("a", "folder")], "a file elsewhere"),
        ([Member("a", "other")], "other"),
        ([Member("straße", "file"), Member("STRASSE", "file")], "only in case"),
    ],
)
def test_refuses(members: list[Member], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check(members)


def test_stops_at_the_first_that_is_refused() -> None:
    """The list may be endless: nothing is read behind what is wrong."""
    endless = iter(
        [Member("a", "file"), Member("/b", "file"), *islice(repeat(Member("c", "file")), 9)]
    )
    with pytest.raises(BadInput):
        check(endless)
    assert len(list(endless)) == 9


def test_names_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_NAMES", 100)
    with pytest.raises(BadInput, match="all names"):
        check(Member(f"name{number}", "file") for number in range(1000))


_NAMES = st.sampled_from(["a", "b", "c", "a/a", "a/b", "b/a", "a/b/c"])
_TARGETS = st.lists(st.sampled_from(["a", "b", "..", "."]), min_size=1, max_size=4).map("/".join)
_KINDS: st.SearchStrategy[Kind] = st.sampled_from(["symlink", "symlink", "link", "file"])
_MEMBERS = st.lists(st.builds(Member, _NAMES, _KINDS, linkname=_TARGETS), min_size=2, max_size=4)


@settings(max_examples=300)
@given(_MEMBERS)
def test_nothing_that_passes_resolves_outside(members: list[Member]) -> None:
    """Links followed as a kernel does, over all that was accepted, never leave the root."""
    try:
        check(members)
    except BadInput:
        return
    links = {_steps(one.name): one.linkname for one in members if one.type == "symlink"}
    for one in members:
        assert _resolves_inside(_steps(one.name), links)


def _steps(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _resolves_inside(path: tuple[str, ...], links: dict[tuple[str, ...], str]) -> bool:
    waiting, place = list(path[::-1]), ()
    for _ in range(100):
        if not waiting:
            return True
        step = waiting.pop()
        if step == ".." and not place:
            return False
        place = place[:-1] if step == ".." else (*place, step)
        if place in links:
            waiting += _steps(links[place])[::-1]
            place = place[:-1]
    return True  # a loop of links leads nowhere
