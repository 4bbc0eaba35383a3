"""What stands before the pages: who may see them, and that the file is still the one opened."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Callable[..., Any], Send], Awaitable[None]]

USER = "evc"
OURS = "/-/dashboards"
# No page may fetch anything from elsewhere; Datasette's own have their scripts inline.
_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; {}"
_REPLACED = """The fleet's database was moved away or replaced: is it being restored?
  → start `evc dashboard serve` again when that is done
"""


class Guard:
    """An ASGI application in front of another."""

    def __init__(self, app: App, database: Path, hosts: frozenset[str], password: str) -> None:
        self._app, self._database, self._hosts = app, database, hosts
        self._wanted = f"{USER}:{password}".encode() if password else b""
        self._file = _identity(database)

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heads = dict(scope["headers"])
        if not self._is_host(heads.get(b"host", b"")):
            await _say(send, 421, "these pages are not served under that name\n")
        elif self._wanted and not self._is_login(heads.get(b"authorization", b"")):
            challenge = (b"www-authenticate", b'Basic realm="EVC", charset="UTF-8"')
            await _say(send, 401, f"the user is {USER}\n", challenge)
        elif _identity(self._database) != self._file:
            await _say(send, 503, _REPLACED)
        else:
            await self._app(scope, receive, _with_policy(send, scope["path"]))

    def _is_host(self, head: bytes) -> bool:
        """A name that some website points at this machine is not one of ours."""
        if not self._hosts:
            return True
        try:
            return urlsplit(f"//{head.decode('latin-1')}").hostname in self._hosts
        except ValueError:
            return False

    def _is_login(self, head: bytes) -> bool:
        kind, _, given = head.partition(b" ")
        try:
            found = base64.b64decode(given, validate=True)
        except binascii.Error:
            return False
        return kind.lower() == b"basic" and hmac.compare_digest(found, self._wanted)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (one call a request)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _with_policy(send: Send, path: str) -> Send:
    scripts = "script-src 'self'" if path.startswith(OURS) else "script-src 'self' 'unsafe-inline'"

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message["headers"],
                (b"content-security-policy", _POLICY.format(scripts).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
                (b"x-frame-options", b"DENY"),
            ]
        await send(message)

    return sent


async def _say(send: Send, status: int, text: str, *heads: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *heads]})
    await send({"type": "http.response.body", "body": text.encode()})
