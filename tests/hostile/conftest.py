"""Fixtures of the hostile tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.controller import Controller, Network


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The only thing there is to contact: an engine, a registry, a machine, a git server."""
    made = Network()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{made.port}")
    yield made
    made.close()


@pytest.fixture
def controller(
    tmp_path: Path,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Controller:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVC_HOME", raising=False)
    return Controller(tmp_path, network, capsys)
