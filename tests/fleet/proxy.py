"""A forward proxy and what lies behind it: a pip index and an apt mirror, on this machine."""

from __future__ import annotations

import base64
import http.client
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

WHEEL = "evcprobe-1-py3-none-any.whl"


def wheel() -> bytes:
    """A package of one module, as pip installs it."""
    content, info = io.BytesIO(), "evcprobe-1.dist-info"
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("evcprobe.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: evcprobe\nVersion: 1\n")
        tag = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return content.getvalue()


class Server(ThreadingHTTPServer):
    """Notes (kind, path, login) of each request: `proxy` for an absolute URL, else `origin`."""

    daemon_threads = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), Handler)
        self.seen: list[tuple[str, str, str]] = []

    @property
    def place(self) -> str:
        return f"{self.server_address[0]!s}:{self.server_port}"

    def paths(self, kind: str, login: str) -> list[str]:
        return [path for one, path, found in self.seen if (one, found) == (kind, login)]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path.startswith("http://"):
            self._note("proxy", "Proxy-Authorization")
            self._forward()
        else:
            self._note("origin", "Authorization")
            self._serve()

    def _note(self, kind: str, header: str) -> None:
        given = self.headers.get(header, "").removeprefix("Basic ")
        path = urlsplit(self.path).path
        self.server.seen.append((kind, path, base64.b64decode(given).decode()))

    def _forward(self) -> None:
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc.rpartition("@")[2], timeout=20)
        kept = {key: self.headers[key] for key in ("Authorization",) if key in self.headers}
        connection.request("GET", parts.path, headers=kept)
        answer = connection.getresponse()
        self._answer(answer.status, answer.read(), answer.headers.get("Content-Type", ""))

    def _serve(self) -> None:
        if self.path == "/simple/evcprobe/":
            self._answer(200, f'<a href="/simple/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
        elif self.path == f"/simple/{WHEEL}":
            self._answer(200, wheel(), "application/zip")
        else:
            self._answer(404, b"", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(host: str, certificate: Path | None = None) -> Iterator[Server]:
    """A server on an address of this machine that the lab's nodes reach.

    `certificate` is a PEM file of one and its key, to serve with TLS.
    """
    server = Server(host)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
