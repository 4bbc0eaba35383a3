"""A served model that answers badly: its own prediction is the problem, and the wait has an end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evc.doors import models
from evc.pure.errors import EvcError

Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a model that answers a POST by a function; where it is."""
    started: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        handler = type("Handler", (BaseHTTPRequestHandler,), {"do_POST": answer})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/predict"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_a_model_that_drips_is_given_up(serve: Serve) -> None:
    """Each byte comes in time, the whole never."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises(EvcError, match="within 1 s"):
        asyncio.run(models.post(serve(drip), b"photo", 1.0))
    assert time.monotonic() - began < 10


def test_an_answer_without_end_is_given_up(serve: Serve) -> None:
    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with pytest.raises(EvcError, match="larger than"):
        asyncio.run(models.post(serve(pour), b"photo", 30.0))
