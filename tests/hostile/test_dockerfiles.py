"""A hostile Dockerfile: what is refused, however it is written, and what is warned of."""

from __future__ import annotations

import pytest

from evc.pure import preflight, schema
from evc.pure.config import ProjectConfig, ServerConfig
from evc.pure.errors import BadFile

GOOD = "FROM python:3.11-slim\nWORKDIR /app\nUSER 10001\n"


def refused(text: str, **arguments: str) -> list[str]:
    return [one.what for one in preflight.doubts(text, arguments) if one.refused]


def warned(text: str) -> list[str]:
    return [one.what for one in preflight.doubts(text, {}) if not one.refused]


@pytest.mark.parametrize(
    "lines",
    [
        "WORKDIR /proc/self/fd/7",
        "workdir /proc/self/fd/7",
        "WORKDIR //proc/self",
        "WORKDIR /app/../proc/self/fd/7",
        "WORKDIR /\nWORKDIR proc/self/fd/7",
        'WORKDIR "/proc/self/fd/7"',
        "WORKDIR \\\n /proc/self/fd/7",
        "WORK\\\nDIR /proc/self/fd/7",
        "WORKDIR /pr\\\noc/self/fd/7",
        "ENV D=/proc/self/fd/7\nWORKDIR $D",
        "ENV D /proc/self/fd/7\nWORKDIR ${D}",
        "ARG D=/proc\nENV E=$D/self\nWORKDIR $E/fd/7",
        "ONBUILD WORKDIR /proc/self/fd/7",
        "WORKDIR /sys/fs",
        "WORKDIR /dev/fd",
        "# comment\nWORKDIR /proc",
    ],
)
def test_a_folder_of_the_kernel_is_refused(lines: str) -> None:
    assert refused(f"FROM python:3.11-slim\n{lines}\nUSER 10001\n")


def test_a_build_argument_is_followed_too() -> None:
    assert refused("FROM a:1\nARG D=/app\nWORKDIR $D\n", D="/proc/self/fd/7")


def test_another_escape_character_is_refused() -> None:
    assert refused("# escape=`\nFROM a:1\nWORK`\nDIR /proc/self/fd/7\n")


def test_a_plain_file_is_not_in_doubt() -> None:
    assert preflight.doubts(GOOD, {}) == []
    assert not refused("FROM a:1\nWORKDIR /process\nWORKDIR /srv/proc\nWORKDIR $UNKNOWN\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (GOOD.replace(":3.11-slim", ""), "another image from one day"),
        (GOOD.replace("3.11-slim", "latest"), "another image from one day"),
        (GOOD.replace("python:3.11-slim", "host:5000/a/b"), "another image from one day"),
        (GOOD.replace("USER 10001", ""), "no USER but root"),
        (GOOD.replace("10001", "root"), "no USER but root"),
        (GOOD.replace("10001", "0:0"), "no USER but root"),
        (f"{GOOD}FROM python:3.11-slim\n", "no USER but root"),
        (f"{GOOD}ARG PASSWORD\n", "stays in the image"),
        (f"{GOOD}ENV HUB_TOKEN=abc\n", "stays in the image"),
    ],
)
def test_what_most_projects_do_is_warned_of(text: str, what: str) -> None:
    (said,) = warned(text)
    assert what in said and not refused(text)


def test_a_stage_or_a_digest_does_not_move() -> None:
    assert warned("FROM a:1 AS b\nFROM b\nUSER x\n") == []
    assert warned(f"FROM a@sha256:{'0' * 64}\nUSER x\n") == []
    assert warned("ARG V=3.11\nFROM python:$V\nUSER x\n") == []


def test_the_config_cannot_say_what_a_dockerfile_may_not() -> None:
    text = "model_name: m\nversion: 1\nserve: {workdir: /app/../proc/self/fd/7}\n"
    with pytest.raises(BadFile):
        schema.read(text, "f", ProjectConfig)
    with pytest.raises(BadFile, match="the kernel's"):
        schema.read(text.replace("app/../", ""), "f", ProjectConfig)


def test_the_policy_is_the_fleets() -> None:
    assert schema.read("policy: strict\n", "f", ServerConfig).policy == "strict"
    with pytest.raises(BadFile):
        schema.read("policy: strickt\n", "f", ServerConfig)
