"""The controller's own engine."""

from __future__ import annotations

import pytest

from evc.doors import docker as engine
from evc.pure.errors import EvcError


@pytest.mark.parametrize("known", [True, False])
def test_an_engine_that_does_not_answer_is_said(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """One that did before, too: the library has another error for it."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    engine._api_version.cache_clear()
    if known:
        monkeypatch.setattr(engine, "_api_version", lambda: "1.41")
    with pytest.raises(EvcError, match="no Docker engine answers") as caught:
        engine.connect()
    assert "evc doctor --fix" in str(caught.value)
