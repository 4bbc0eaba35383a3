"""Who did what: one row for each command that changed something, and each node's progress."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pwd
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from evc.doors.store import Row, Store
from evc.pure.errors import EvcError, Exit
from evc.pure.outcomes import NodeOutcome

LOGIN_UID = Path("/proc/self/loginuid")


def person() -> str:
    """The person behind this command: EVC_USER, who used sudo, who logged in, or the account."""
    said = os.environ.get("EVC_USER") or os.environ.get("SUDO_USER")
    return said or _login_name() or getpass.getuser()


def _login_name() -> str:
    """Who logged in on this terminal, whatever `su` made of them since; '' where none is noted."""
    try:
        return pwd.getpwuid(int(LOGIN_UID.read_text())).pw_name
    except (OSError, ValueError, KeyError, OverflowError):
        return ""


def record(store: Store, command: str, outcomes: Mapping[str, NodeOutcome], word: str) -> None:
    """Note a command and how it ended on each node."""
    now = time.time()
    store.write(
        "INSERT INTO audit (time, person, command, nodes, outcome) VALUES (?, ?, ?, ?, ?)",
        (now, person(), command, json.dumps(sorted(outcomes)), word),
    )
    rows = [
        (now, name, " ".join([command, one.outcome, one.reason]).strip()[:500])
        for name, one in outcomes.items()
    ]
    store.write_all("INSERT INTO progress (time, node, status) VALUES (?, ?, ?)", rows)


@contextlib.contextmanager
def failures(store: Store, command: str) -> Iterator[None]:
    """Note a command that fails on its way; one that is refused, or locked out, did nothing."""
    try:
        yield
    except EvcError as error:
        if error.code == Exit.FAILED:
            record(store, command, {}, "failed")
        raise


@contextlib.contextmanager
def noted(store: Store, command: str) -> Iterator[None]:
    """Note a command that changes what is on no node, when it is done and when it fails."""
    with failures(store, command):
        yield
    record(store, command, {}, "done")


def newest(store: Store, number: int, node: str | None = None) -> list[Row]:
    """The last `number` commands, of one node or of all, the newest last."""
    rows = store.rows(
        "SELECT time, person, command, nodes, outcome FROM audit"
        " WHERE ? IS NULL OR EXISTS (SELECT 1 FROM json_each(nodes) WHERE value = ?)"
        " ORDER BY id DESC LIMIT ?",
        (node, node, number),
    )
    return rows[::-1]
