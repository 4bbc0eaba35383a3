"""Dockerfiles, what they start from, a content's hash, and names of images."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from evc.pure import images, references, schema
from evc.pure.config import ProjectConfig
from evc.pure.images import Content, File, Recipe, Release

ZERO = "0" * 64
FILES = [File("app.py", False, "a" * 64, 10), File("run.sh", True, "b" * 64, 20)]
TEXT = "FROM python:3.11-slim\n"
DIGESTS = {"python:3.11-slim": "sha256:" + ZERO}


def project(text: str = "") -> ProjectConfig:
    return schema.read(f"model_name: eye\nversion: 1.10\n{text}", "f", ProjectConfig)


def lines(text: str) -> list[str]:
    return images.dockerfile(project(text)).splitlines()


def test_a_bare_project_gets_an_unprivileged_python() -> None:
    found = lines("serve: {command: [python3, 'a \"b\".py']}")
    assert found[0] == "FROM python:3.11-slim"
    assert found[-3:] == ["COPY code/ /app/", "USER 10001:10001", r'CMD ["python3", "a \"b\".py"]']
    assert not [line for line in found if line.startswith(("RUN", "ARG"))]


def test_what_changes_least_comes_first() -> None:
    found = "\n".join(
        lines(
            "packages: [libgl1, ffmpeg]\nrequirements: requirements.txt\n"
            f"weights: [{{path: weights}}, {{pypi: mtcnn==1.0.0, files: {{a/b.npy: {ZERO}}}}}]\n"
        )
    )
    steps = ["ffmpeg libgl1", "pip install -r", "COPY weights/", "fetch_weights.py mtcnn==1.0.0",
             "COPY code/", "\nUSER"]  # fmt: skip
    places = [found.index(step) for step in steps]
    assert places == sorted(places)
    assert f"a/b.npy={ZERO}" in found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM python", ["python"]),
        ("# FROM x\nfrom python:3.11 as build\nFROM build\n", ["python:3.11"]),
        (
            "FROM --platform=$BUILDPLATFORM a/b:1 AS b\nFROM debian\nFROM debian",
            ["a/b:1", "debian"],
        ),
        ("ARG BASE=x\nFROM ${BASE}\n", []),
        ("FROM scratch\n", []),
        ("RUN echo FROM x\n", []),
    ],
)
def test_bases_of_a_dockerfile(text: str, found: list[str]) -> None:
    assert images.bases(text) == found


def test_bases_are_replaced_by_what_they_are_pinned_to() -> None:
    text = "FROM python:3.11 AS build\nRUN pip install python\nFROM build\nFROM debian\n"
    pinned = {"python:3.11": "r:5443/library/python:3.11@sha256:0"}
    assert images.with_bases(text, pinned) == text.replace("python:3.11", pinned["python:3.11"])


def test_the_hash_is_of_the_content_and_not_of_its_order() -> None:
    first = images.content_hash(FILES, "{}")
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert first == images.content_hash(FILES[::-1], "{}")
    others = [
        images.content_hash([replace(FILES[0], path="b.py"), FILES[1]], "{}"),
        images.content_hash([replace(FILES[0], executable=True), FILES[1]], "{}"),
        images.content_hash([replace(FILES[0], sha256=ZERO), FILES[1]], "{}"),
        images.content_hash(FILES[:1], "{}"),
        images.content_hash(FILES, '{"port": 1}'),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_a_recipe_is_the_dockerfile_the_bases_and_the_arguments() -> None:
    first = Recipe(TEXT, {"A": "1"}, DIGESTS)
    others = [
        replace(first, dockerfile=f"{TEXT}RUN x\n"),
        replace(first, arguments={"A": "2"}),
        replace(first, arguments={}),
        replace(first, bases={"python:3.11-slim": "sha256:1"}),
    ]
    assert len({one.hash for one in [first, *others]}) == 1 + len(others)


def test_a_release_is_called_after_its_content_and_recipes() -> None:
    first = Content("eye", "1.10", ZERO, {"amd64": "a"})
    assert first.release() == replace(first).release()
    hashes = {
        first.release().hash,
        replace(first, hash="1").release().hash,
        replace(first, recipes={"amd64": "b"}).release().hash,
        first.release(before=1).hash,
    }
    assert len(hashes) == 4


def test_what_platforms_say_is_no_part_of_what_images_share() -> None:
    plain = project("base: debian:12")
    variant = project("platforms: {arm64-x: {on: gpu, base: 'nvidia:1', args: {CUDA: 12.4}}}")
    assert plain.settings == variant.settings == project().settings


def test_a_variant_has_its_own_base_and_arguments() -> None:
    found = project(
        "requirements: requirements.txt\nserve: {command: [x]}\n"
        "platforms: {arm64-x: {on: gpu, base: 'nvidia:1', args: {PIP_EXTRA_INDEX_URL: u, CUDA: 1}}}"
    )
    text = images.platform_dockerfile(found, "", "arm64-x").splitlines()
    assert text[0] == "FROM nvidia:1"
    arguments = [line for line in text if line.startswith("ARG")]
    assert arguments == ["ARG CUDA", "ARG PIP_EXTRA_INDEX_URL"]
    assert text.index("ARG CUDA") < text.index("COPY requirements.txt /app/requirements.txt")
    assert images.platform_dockerfile(found, "", "amd64") == images.dockerfile(found)


def test_a_variants_base_replaces_the_one_that_the_config_names() -> None:
    found = project("base: debian:12\nplatforms: {arm64-x: {on: gpu, base: 'nvidia:1'}}")
    own = "FROM golang:1 AS tools\nFROM debian:12\nCOPY --from=tools /x /x\n"
    expected = own.replace("debian:12", "nvidia:1")
    assert images.platform_dockerfile(found, own, "arm64-x") == expected
    assert images.platform_dockerfile(found, own, "arm64") == own
    with pytest.raises(ValueError, match="no `FROM debian:12`"):
        images.platform_dockerfile(found, "FROM ubuntu\n", "arm64-x")


def test_a_release_has_a_label_and_a_tag() -> None:
    release = Release("eye", "1.10", "0123456789abcdef")
    assert (release.label, release.tag) == ("1.10+0123456789ab", "eye-1.10-0123456789ab")
    longest = Release("m" * 48, "1" * 31, ZERO)
    assert references.tag(longest.tag)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("python:3.11-slim", ("library/python", "3.11-slim")),
        ("python", ("library/python", "latest")),
        ("acme/eye:1", ("acme/eye", "1")),
        ("ghcr.io/a/b:1", ("", "")),
        ("localhost:5000/a", ("", "")),
        (f"python@sha256:{ZERO}", ("", "")),
    ],
)
def test_where_the_fleets_registry_keeps_a_base(base: str, name: tuple[str, str]) -> None:
    assert images.library_name(base) == name
