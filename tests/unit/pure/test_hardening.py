"""Log lines of programs that met a hardened default, and the one key that each needs."""

from __future__ import annotations

import pytest

from evc.pure import containers, hardening, schema
from evc.pure.config import ProjectConfig

ROOT, WRITABLE = "serve: {root: true}", "serve: {writable: true}"


def request(text: str = "") -> dict[str, object]:
    project = schema.read(f"model_name: eye\nversion: 1\n{text}", "f", ProjectConfig)
    return containers.config(project)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("OSError: [Errno 30] Read-only file system: '/home/flagged'", WRITABLE),
        ("mkdir: cannot create directory '/x': Read-only file system", WRITABLE),
        ("Error: EROFS: read-only file system, open '/app/log'", WRITABLE),
        ("sqlite3.OperationalError: attempt to write a readonly database", WRITABLE),
        ("PermissionError: [Errno 13] Permission denied: '/home/model.pt'", ROOT),
        ("bash: /root/run.sh: Permission denied", ROOT),
        ("chown: changing ownership of '/x': Operation not permitted", ROOT),
        ('sudo: The "no new privileges" flag is set, which prevents sudo from running', ROOT),
        ("E: Could not open lock file - are you root?", ROOT),
        ("This program must be run as root", ROOT),
        ("the container ended with status 137 (out of memory)", "resources: {memory: 2048M}"),
        ("RuntimeError: can't start new thread", "resources: {pids: 1024}"),
        ("can't open camera: '/dev/video0': Permission denied", ""),
        ("ValueError: the model file is corrupt", ""),
        ("", ""),
    ],
)
def test_a_sign_and_its_key(line: str, key: str) -> None:
    assert hardening.key(f"starting\n{line}\nbye", request()) == key
    assert hardening.advice(line, request()).count("`") == (2 if key else 0)


def test_the_last_sign_decides() -> None:
    lines = "cache: Read-only file system, going on\n[Errno 13] Permission denied: 'x'"
    assert hardening.key(lines, request()) == ROOT


def test_what_is_loosened_already_is_not_named_again() -> None:
    assert hardening.key("Permission denied", request("serve: {root: true}")) == ""
    assert hardening.key("Read-only file system", request("serve: {writable: true}")) == ""
