"""Waiting for a lab node's real state: its SSH greeting, its engine's answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from threading import Event

from evc.doors import docker as engine
from evc.pure.errors import EvcError
from evc.runbooks.lab.nodes import LabNode

SSH_DEADLINE_S = 60
ENGINE_DEADLINE_S = 120
PAUSE_S = 0.25
VERSION = ["timeout", "5", "docker", "version", "--format", "{{.Server.Version}}"]
# Far cheaper than to ask an engine that is not there yet, again and again.
LISTENING = ["timeout", "5", "sh", "-c", "until [ -S /run/docker.sock ]; do sleep 0.1; done"]


def ready(node: LabNode, container: str | None, stop: Event) -> None:
    """Return when SSH on `node` answers, and the engine inside `container`; raises EvcError."""
    until(lambda: answers_ssh(node.address, node.port), SSH_DEADLINE_S, stop, "SSH")
    if container:
        until(lambda: _answers(container), ENGINE_DEADLINE_S, stop, "Docker")


def until(check: Callable[[], bool], deadline_s: float, stop: Event, what: str) -> None:
    """Return when `check` holds; raises EvcError after `deadline_s`, or when `stop` is set."""
    end = time.monotonic() + deadline_s
    while not check():
        if stop.wait(PAUSE_S) or time.monotonic() > end:
            raise EvcError(f"{what} did not answer within {deadline_s:.0f} s")


def answers_ssh(address: str, port: int) -> bool:
    """Whether an SSH server greets there (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def engine_version(container: str) -> str | None:
    """The version of the engine inside `container`; None when it does not answer (yet)."""
    return _said(container, VERSION)


def _answers(container: str) -> bool:
    """Whether the engine inside does, by a few seconds from now."""
    return _said(container, LISTENING) is not None and bool(engine_version(container))


def _said(container: str, command: list[str]) -> str | None:
    """By a command inside; None when that fails."""
    try:
        code, said = engine.connect().containers.get(container).exec_run(command, stderr=False)
    except OSError:  # the SDK's errors are OSErrors: the container is stopped or paused
        return None
    return said.decode().strip() if code == 0 and isinstance(said, bytes) else None
