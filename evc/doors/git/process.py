"""Running git: in a process group of its own, with none of the user's settings but logins' ones."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from evc.pure.errors import EvcError

QUERY_SECONDS = 60.0
MAX_OUTPUT = 1_000_000
MAX_STDERR = 4_000

# Variables of the user that say how to reach and trust a server, and whom to be there.
_KEPT_VARIABLES = ("GIT_SSH", "GIT_ASKPASS", "GIT_SSL_", "GIT_PROXY_SSL_", "GIT_HTTP_PROXY")
_REMEDIES = {
    "couldn't find remote ref": "name a branch, a tag or a whole commit id after '#'",
    "could not read Username": "keep a login in a git credential helper: `git help credentials`",
    "Authentication failed": "renew the login in your git credential helper",
    "Host key verification failed": "log in once by hand with `ssh`, and compare the host key",
    "Permission denied": "give this account's SSH key access to the repository",
    "certificate": "add the server's CA: `git config --global http.sslCAInfo FILE`",
    "No space left": "make room on this machine",
    "does not support shallow": "serve the repository by git's smart HTTP",
}


class Tail:
    """The last `most` bytes of a stream that may never end, read by a thread of its own."""

    def __init__(self, stream: IO[bytes] | None, most: int) -> None:
        self._kept = b""
        self._most = most
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        self._thread.join(1.0)
        return self._kept.decode("utf-8", "replace")

    def _read(self) -> None:
        assert self._stream
        with self._stream:
            while piece := os.read(self._stream.fileno(), 65536):
                self._kept = (self._kept + piece)[-self._most :]


@contextlib.contextmanager
def group(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group (and without a terminal) that is killed on the way out."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def query(folder: Path, words: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
    """What a git command that changes nothing says; raises EvcError."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *words]
    variables = {**environment(), "GIT_ALLOW_PROTOCOL": "none", **(extra or {})}
    with group(command, folder, variables) as process:
        output, tail = Tail(process.stdout, MAX_OUTPUT), Tail(process.stderr, MAX_STDERR)
        try:
            process.wait(QUERY_SECONDS)
        except subprocess.TimeoutExpired:
            raise EvcError(f"git {words[0]} took longer than {QUERY_SECONDS:.0f} s") from None
    if process.returncode:
        raise failed(words[0], tail.text())
    return output.text()


def settings(folder: Path, extra: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Git's settings as seen from `folder`; reading them runs nothing."""
    entries = query(folder, ["config", "--list", "-z"], extra).split("\0")
    pairs = [entry.partition("\n") for entry in entries if entry]
    return [(key, value if separator else "true") for key, separator, value in pairs]


def environment() -> dict[str, str]:
    """This process's variables without those that lead git elsewhere; nobody to ask for a login."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT_VARIABLES)
    }
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def failed(step: str, said: str) -> EvcError:
    text = "".join(letter if letter.isprintable() else " " for letter in said)
    remedies = [remedy for mark, remedy in _REMEDIES.items() if mark in said]
    message = f"git {step} failed: {' '.join(text.split())[-500:] or 'no reason given'}"
    return EvcError(message, (remedies or ["try `git clone` by hand"])[0])
