"""A hostile Dockerfile: what is refused, however it is written, and what is warned of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evc.doors import docker
from evc.pure import layout, preflight, schema
from evc.pure.config import ProjectConfig, ServerConfig
from evc.pure.errors import BadFile, BadInput
from evc.runbooks import projects
from evc.runbooks.init import init
from evc.runbooks.projects import Place
from tests.hostile.controller import Controller, settled

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


def project(folder: Path, dockerfile: str, platforms: str = "") -> Place:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "myEVCconfig.yaml").write_text(f"model_name: m\nversion: 1\n{platforms}")
    return Place(folder, str(folder), "")


def test_a_project_is_refused_when_it_is_read(tmp_path: Path) -> None:
    fleet = init(tmp_path / "fleet")
    with pytest.raises(BadInput, match="the kernel's"):
        projects.read(fleet, project(tmp_path / "p", "FROM a:1\nWORKDIR /proc/self/fd/7\n"))
    variant = "platforms:\n  arm64: {args: {D: /proc/self/fd/7}}\n"
    with pytest.raises(BadInput, match="the kernel's"):
        projects.read(fleet, project(tmp_path / "p", "FROM a:1\nARG D=/app\nWORKDIR $D\n", variant))


def test_a_project_is_warned_of_and_under_a_strict_policy_refused(tmp_path: Path) -> None:
    fleet, place = init(tmp_path / "fleet"), project(tmp_path / "p", "FROM a:1\n")
    (said,) = projects.read(fleet, place).warnings
    assert "no USER but root" in said and "USER 10001" in said
    config = fleet.config_file.read_text()
    fleet.config_file.write_text(re.sub("(?m)^policy:.*$", "policy: strict", config))
    with pytest.raises(BadInput, match="no USER but root") as error:
        projects.read(fleet, place)
    assert "USER 10001" in error.value.remedy
    assert projects.read(fleet, project(tmp_path / "p", GOOD)).warnings == ()


def test_what_is_refused_is_refused_before_anything_is_contacted(controller: Controller) -> None:
    controller.register("cam01")
    (controller.project / "Dockerfile").write_text("FROM a:1\nWORKDIR /proc/self/fd/7\n")
    code, said = controller.evc("run", str(controller.project), "--on", "lab")
    assert (code, settled(controller.network)) == (2, 0), said
    assert "the kernel's" in said


def test_no_ignore_file_brings_secrets_or_history_back(tmp_path: Path) -> None:
    place = project(tmp_path / "p", GOOD)
    (place.folder / ".dockerignore").write_text("*.log\n!.env\n!**/.env.prod\n!sub/.git\n")
    kept = {"app.py", "sub/app.py", "sub/environment.py", "Dockerfile"}
    secret = {".env", ".envrc", "sub/.env", "sub/.env.prod", "sub/deep/.env.local"}
    history = {".git/config", "sub/.git/config"}
    for path in {*kept, *secret, *history, "a.log", "sub/__pycache__/a.pyc"} - {"Dockerfile"}:
        (place.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / path).write_text("x")
    read = projects.read(init(tmp_path / "fleet"), place)
    assert {one.path for one in read.files} == kept
    said = docker.left_out(place.folder, layout.EXCLUDED[:-1])
    assert {*secret, ".git", "sub/.git", "sub/__pycache__"} <= set(said)
    assert not kept & set(said) and not any("config" in one for one in said)


def test_the_policy_is_the_fleets() -> None:
    assert schema.read("policy: strict\n", "f", ServerConfig).policy == "strict"
    with pytest.raises(BadFile):
        schema.read("policy: strickt\n", "f", ServerConfig)
