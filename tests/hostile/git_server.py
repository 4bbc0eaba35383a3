"""Real git repositories behind a real HTTPS server on loopback, and a server that misbehaves."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from evc.doors import certs

NOW = dt.datetime.now(dt.UTC)
AUTHORITY = certs.authority("a git host", NOW)
Respond = Callable[[BaseHTTPRequestHandler], None]


def run(folder: Path, *words: str, stdin: str = "") -> str:
    """Run git as somebody who trusts the repository; its output."""
    who = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.net",
        "-c",
        "protocol.file.allow=always",
    ]
    command = ["git", *who, *words]
    done = subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def repository(folder: Path, files: dict[str, str]) -> str:
    """Make (or go on with) a repository in `folder`; the new commit."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        run(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--allow-empty", "--message=x")
    return run(folder, "rev-parse", "HEAD")


@contextlib.contextmanager
def serving(respond: Respond, scratch: Path) -> Iterator[str]:
    """An HTTPS server on loopback that answers by `respond`; its URL. `ca` names its CA's file."""
    pair = certs.server(AUTHORITY, {"127.0.0.1"}, NOW)
    chain = scratch / "server.pem"
    chain.write_text(pair.certificate + pair.key)
    ca(scratch).write_text(AUTHORITY.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = _Server(("127.0.0.1", 0), _handler(respond))
    # Hands shake in the connection's own thread: one that never does must not stop the others.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ca(scratch: Path) -> Path:
    """Where `serving` puts the CA that git is to trust."""
    return scratch / "ca.pem"


def backend(root: Path, login: str = "", pack_hook: Path | None = None) -> Respond:
    """Git's own smart HTTP over the repositories in `root`, to whoever shows `login` (Basic).

    `pack_hook` runs in place of what packs the objects.
    """

    def respond(request: BaseHTTPRequestHandler) -> None:
        if login and request.headers.get("Authorization") != f"Basic {login}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="git"')
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"],
            env=_cgi(request, root, str(pack_hook or "")),
            input=body,
            capture_output=True,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        request.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return respond


def _cgi(request: BaseHTTPRequestHandler, root: Path, pack_hook: str) -> dict[str, str]:
    path, _, query = request.path.partition("?")
    return {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_COUNT": "2" if pack_hook else "1",
        "GIT_CONFIG_KEY_1": "uploadpack.packObjectsHook",
        "GIT_CONFIG_VALUE_1": pack_hook,
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that is killed is what these tests want."""


def _handler(respond: Respond) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            respond(self)

        do_GET = do_POST = _any

        def log_message(self, *_: object) -> None:
            pass

    return Handler
