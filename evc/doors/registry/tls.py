"""Whom a registry's client trusts, and what broke a connection."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from evc.pure.errors import EvcError

UP = "evc registry up"


def explain(address: str, error: httpx.HTTPError) -> EvcError:
    """Which of TLS, the network and time it was, and what helps."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = cause.verify_message.rstrip(".")
        return EvcError(f"{address} did not prove who it is ({why}); nothing was sent", UP)
    if isinstance(cause, ssl.SSLError) and isinstance(error, httpx.ConnectError):
        text = f"{address} answers without TLS, or with an older one than 1.2; nothing was sent"
        return EvcError(text, f"see what else listens there, then {UP}")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return EvcError(f"no registry answers at {address}", UP)
    return EvcError(f"{address} broke off ({type(error).__name__})")


def context(ca: Path | None) -> ssl.SSLContext:
    """What checks a registry's certificate: by one CA, or by the public ones; TLS 1.2 or newer."""
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise EvcError(f"the registry's CA cannot be read: {ca} ({error})", UP) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
