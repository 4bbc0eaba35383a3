"""What an image is built for: names, variants by a selector, and which nodes get which."""

from __future__ import annotations

import pytest

from evc.pure import platforms, references, schema
from evc.pure.config import ProjectConfig
from evc.pure.errors import BadFile
from evc.pure.selectors import Selectable

JETSONS = """model_name: eye
version: 1
platforms:
  arm64-l4t36: {on: l4t=36.*, base: 'nvidia:r36'}
  arm64-l4t35: {on: 'l4t=35.* and gpu', base: 'nvidia:r35', args: {TORCH: 2.1.0}}
  amd64: {args: {CUDA: 12.4}}
"""


def project(text: str = JETSONS) -> ProjectConfig:
    return schema.read(text, "f", ProjectConfig)


@pytest.mark.parametrize(
    ("machine", "facts", "platform"),
    [
        ("aarch64", {"l4t": "36.3.0"}, "arm64-l4t36"),
        ("aarch64", {"l4t": "35.4.1", "gpu": "Jetson"}, "arm64-l4t35"),
        ("aarch64", {"l4t": "35.4.1"}, "arm64"),
        ("aarch64", {}, "arm64"),
        ("x86_64", {"l4t": "36.3.0"}, "amd64"),
        ("armv7l", {}, "armv7"),
        ("riscv64", {}, "riscv64"),
        ("", {}, ""),
    ],
)
def test_which_platform_a_node_needs(machine: str, facts: dict[str, str], platform: str) -> None:
    node = Selectable("n", facts={"architecture": machine, **facts})
    assert platforms.of_node(project().platforms, node) == platform


def test_an_argument_stays_as_typed() -> None:
    assert project().platforms["amd64"].args == {"CUDA": "12.4"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("amr64-x: {on: gpu}", "is no platform"),
        ("arm64-X: {on: gpu}", "is no platform"),
        ("arm64-: {on: gpu}", "is no platform"),
        ("arm64-x: {base: debian}", "`on` is missing"),
        ("arm64: {on: gpu}", "a variant takes `on`"),
        ("arm64-x: {on: 'mem>='}", "the selector ends too early"),
        ("arm64-x: {on: ''}", "an empty selector"),
        ("arm64-x: {on: gpu, base: 'a b'}", "a b"),
        ("arm64: {args: {'A B': x}}", "no name of a build argument"),
        ("arm64: {args: {-A: x}}", "no name of a build argument"),
        ("arm64: {args: {HUB_TOKEN: x}}", "would keep a secret"),
        ("arm64: {args: {db_password: x}}", "would keep a secret"),
        ("arm64: {bas: debian}", "did you mean 'base'"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadFile) as error:
        project(f"model_name: eye\nversion: 1\nplatforms:\n  {text}\n")
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("platform", "docker", "repository"),
    [
        ("amd64", "linux/amd64", "x86_64-model"),
        ("arm64", "linux/arm64", "aarch64-model"),
        ("armv7", "linux/arm/v7", "armv7l-model"),
        ("riscv64", "linux/riscv64", "riscv64-model"),
        ("arm64-l4t36", "linux/arm64", "aarch64-l4t36-model"),
    ],
)
def test_names_of_a_platform(platform: str, docker: str, repository: str) -> None:
    assert platforms.for_docker(platform) == docker
    assert platforms.architecture(platform) == docker.split("/")[1]
    assert references.repository(platforms.repository(platform)) == repository
