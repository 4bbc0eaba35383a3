import json
import logging
import pickle

import pytest

from evc.pure.secret import REDACTED, Secret


def test_no_way_of_printing_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    logging.getLogger("evc").warning("login with %s and %r", secret, [secret])
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", caplog.text]
    assert all(REDACTED in text and "hunter2" not in text for text in shown)
    assert "hunter2" not in repr({"password": secret})


def test_nothing_takes_it_for_a_text() -> None:
    secret = Secret("hunter2")
    for use in (json.dumps, "".join, pickle.dumps):
        with pytest.raises(TypeError):
            use([secret])  # type: ignore[operator]


def test_says_its_text_when_asked_and_compares_by_it() -> None:
    assert Secret("a").reveal() == "a"
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
    assert len({Secret("a"), Secret("a")}) == 1
