"""Telling somebody: a webhook, a command, a mail, and a ping that says this machine lives."""

from __future__ import annotations

import json
import smtplib
import subprocess
import urllib.request
from collections.abc import Callable, Sequence
from email.message import EmailMessage

from evc.pure.alerts import AlertSettings

SECONDS = 15.0


def ways(settings: AlertSettings) -> dict[str, Callable[[str], None]]:
    """The ways there are to tell somebody a text; each raises what `tried` knows."""
    found: dict[str, Callable[[str], None]] = {}
    if settings.webhook:
        found["webhook"] = lambda text: _post(str(settings.webhook), text)
    if settings.command:
        found["command"] = lambda text: _run(settings.command, text)
    if settings.email:
        found["email"] = lambda text: _mail(settings, text)
    return found


def ping(url: str) -> str:
    """Tell a dead man's switch elsewhere that this machine lives; what went wrong, or ''."""
    return tried("ping", lambda: _open(urllib.request.Request(url)))


def tried(name: str, way: Callable[[], None]) -> str:
    """Go a way; what went wrong, or ''."""
    try:
        way()
    except (OSError, ValueError, smtplib.SMTPException, subprocess.SubprocessError) as error:
        return f"{name}: {' '.join(str(error).split())[:200] or type(error).__name__}"
    return ""


def _post(url: str, text: str) -> None:
    """As chats take it: a JSON object with `text`."""
    data, head = json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
    _open(urllib.request.Request(url, data, head))


def _open(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        answer.read(65536)


def _run(argv: Sequence[str], text: str) -> None:
    """The text on stdin: it holds what nodes wrote."""
    null = subprocess.DEVNULL
    subprocess.run(
        argv, input=text, text=True, timeout=SECONDS, check=True, stdout=null, stderr=null
    )


def _mail(settings: AlertSettings, text: str) -> None:
    assert settings.email
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.email.sender, settings.email.to
    mail["Subject"] = f"EVC: {text.splitlines()[0][:100]}"
    mail.set_content(text)
    with smtplib.SMTP(settings.email.server, settings.email.port, timeout=SECONDS) as server:
        server.send_message(mail)
