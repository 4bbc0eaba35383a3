"""The Korean README says what the English one says: the same parts, the same commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from evc.pure.config import Step

ROOT = Path(__file__).parents[2]
ENGLISH, KOREAN = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md")
)
# A part that is new in one of them needs a line here, and so to be in the other.
PARTS = {
    "# EVC: Edge Vision Cluster": "# EVC: Edge Vision Cluster",
    "## On your own machines": "## 내 장비에서 쓰기",
    "## A record of every node": "## 모든 노드의 기록",
    "## See the fleet": "## 한눈에 보기",
    "### What EVC puts on a node": "### EVC가 노드에 두는 것",
    "## Coming from the original · 원래 시스템에서 옮겨오기": "## 원래 시스템에서 옮겨오기",
    "## How it is built": "## 어떻게 만들었나",
}
ONLY_KOREAN = {"## 먼저 해 보기"}  # in English it needs no heading


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ .*$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)


def typed(text: str) -> list[str]:
    """The lines that a reader types, without what is said of them."""
    lines = re.findall(r"^\$ (.*)$", text, re.M)
    return [" ".join(re.split(r"\s+# ?", line)[0].split()) for line in lines]


def named(text: str) -> set[str]:
    """Commands in running text."""
    found = re.findall(r"`((?:evc|make|pip) [^`]+)`", text)
    return {" ".join(one.split()) for one in found}


def test_both_have_the_same_parts() -> None:
    assert headings(ENGLISH) == list(PARTS)
    assert sorted(headings(KOREAN)) == sorted([*PARTS.values(), *ONLY_KOREAN])


def test_the_first_thing_in_korean_is_what_became_of_the_original() -> None:
    assert headings(KOREAN)[1] == PARTS["## Coming from the original · 원래 시스템에서 옮겨오기"]
    for command in ("m_device.py", "m_model.py", "runEVCv2.py", "logger.py", "init_db.py",
                    "registry_init.sh"):  # fmt: skip
        assert command in KOREAN.partition("## 먼저 해 보기")[0]


def test_both_have_the_same_commands() -> None:
    assert typed(KOREAN) == typed(ENGLISH)
    assert named(ENGLISH) - named(KOREAN) == set()
    whole = " ".join(ENGLISH.split())  # there some are typed, with what they are given
    assert {one for one in named(KOREAN) if one not in whole} == set()


def test_each_step_of_the_originals_autorun_is_in_both_tables() -> None:
    for text in (ENGLISH, KOREAN):
        rows = [row for row in text.splitlines() if row.startswith("| `autorun`")]
        assert {step for step in get_args(Step) if f"`{step}`" in " ".join(rows)} == {
            *get_args(Step)}  # fmt: skip


def test_every_link_leads_somewhere() -> None:
    for text in (ENGLISH, KOREAN):
        links = re.findall(r"\]\(([^)#]+)\)", text)
        assert links and [link for link in links if not (ROOT / link).exists()] == []
