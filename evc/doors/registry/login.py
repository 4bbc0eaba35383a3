"""Logins by token, which hubs want: asked for at the one host that may have the login.

Format: https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

import httpx

Auth = Callable[[httpx.Request], httpx.Request]


def token_place(refusal: httpx.Response, host: str) -> tuple[str, dict[str, str]] | None:
    """Where to ask for a token (URL, parameters) after a 401; None where nothing may be sent.

    `host` is the only one that may have the login; '' means none.
    """
    kind, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
    if refusal.status_code != 401 or kind.lower() != "bearer" or not host:
        return None
    fields = parse_keqv_list([one for one in parse_http_list(rest) if "=" in one])
    place = urlsplit(fields.get("realm", ""))
    if place.scheme != "https" or place.hostname != host or "@" in place.netloc:
        return None
    return place.geturl(), {key: fields[key] for key in ("service", "scope") if key in fields}


def bearer(body: bytes) -> Auth | None:
    """A token's answer as what signs the next request, or None for anything else."""
    try:
        found = json.loads(body)
        token = str(found.get("token") or found.get("access_token") or "")
    except (ValueError, AttributeError):
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        return None

    def signed(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return signed
