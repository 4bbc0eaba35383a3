"""Fetching a project by its git URL, within limits of time, disk and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evc.doors.git.process import MAX_STDERR, Tail, environment, failed, group, settings
from evc.pure.errors import EvcError
from evc.pure.sources import Source

POLL_SECONDS = 0.2
# What a file costs beyond its bytes, so that a million empty ones are too much as well.
ENTRY_BYTES = 4096

# Settings of the user that say how to reach and trust a server, and whom to be there.
_KEPT_SETTINGS = ("credential.", "http.", "url.", "ssh.variant", "core.sshcommand", "core.askpass")
_SAFE = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
)


@dataclass(frozen=True)
class Limits:
    """What fetching a project may cost: bytes on disk and in memory, seconds in all and idle."""

    disk: int = 2 * 1024**3
    memory: int = 2 * 1024**3
    seconds: float = 600.0
    stall_seconds: float = 60.0


def fetch(source: Source, into: Path, limits: Limits | None = None) -> str:
    """Check out a project's git URL at `into`, which must not exist; the commit's id.

    Raises EvcError, and then leaves nothing behind.
    """
    try:
        with _draft(into.parent) as draft:
            commit = _Checkout(draft, limits or Limits()).make(source)
            draft.rename(into)
    except FileNotFoundError:
        raise EvcError("git is not installed on this machine", "apt install git") from None
    except OSError as error:
        remedy = "choose a new folder"
        raise EvcError(f"{into} cannot be written: {error.strerror}", remedy) from None
    return commit


class _Checkout:
    """A fetch under way in `folder`, watched so that neither time nor disk run out."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.deadline = time.monotonic() + limits.seconds
        self.settings = [item for setting in _SAFE for item in ("-c", setting)]
        self.environment = {
            **environment(),
            **_login_settings(),
            "GIT_ALLOW_PROTOCOL": "https:ssh",
        }

    def make(self, source: Source) -> str:
        """Fetch and check out; the commit's id."""
        self._git("init", "--quiet", "--template=")
        options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--")
        self._git("fetch", *options, source.url, source.ref or "HEAD")
        commit = self._git("rev-parse", "--verify", "FETCH_HEAD^{commit}").strip()
        self._git("checkout", "--quiet", "--detach", commit, "--")
        return commit

    def _git(self, *words: str) -> str:
        command = ["git", *self.settings, *words]
        with group(command, self.folder, self.environment) as process:
            self._limit(process)
            tail = Tail(process.stderr, MAX_STDERR)
            output = Tail(process.stdout, MAX_STDERR)
            self._watch(process)
        if process.returncode:
            raise failed(words[0], tail.text())
        return output.text()

    def _limit(self, process: subprocess.Popen[bytes]) -> None:
        """A tree of a billion names fills memory before it fills the disk."""
        with contextlib.suppress(ProcessLookupError):
            for kind, most in (
                (resource.RLIMIT_DATA, self.limits.memory),
                (resource.RLIMIT_FSIZE, self.limits.disk),
            ):
                resource.prlimit(process.pid, kind, (most, most))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end; raises EvcError past a limit."""
        size, grew = -1, time.monotonic()
        while process.poll() is None:
            began = time.monotonic()
            found = _size(self.folder, self.limits.disk)
            size, grew = (found, began) if found != size else (size, grew)
            self._check(size, began, grew)
            # A large folder takes long to measure: spend a fifth of the time on it, not all.
            pause = max(POLL_SECONDS, 4 * (time.monotonic() - began))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(pause)
        self._check(_size(self.folder, self.limits.disk), 0.0, 0.0)

    def _check(self, size: int, now: float, grew: float) -> None:
        if size > self.limits.disk:
            raise EvcError(f"the repository is larger than {self.limits.disk:,} bytes",
                           "keep large files elsewhere, or clone it yourself")  # fmt: skip
        if now - grew > self.limits.stall_seconds:
            raise EvcError(f"the git server sent nothing for {self.limits.stall_seconds:.0f} s",
                           "try again, or clone it yourself and give a folder")  # fmt: skip
        if now > self.deadline:
            raise EvcError(f"fetching took longer than {self.limits.seconds:.0f} s",
                           "clone it yourself and give a folder")  # fmt: skip


def _size(folder: Path, most: int) -> int:
    """Bytes below `folder`, each entry's own cost included; no more is counted past `most`."""
    total, waiting = 0, [str(folder)]
    while waiting and total <= most:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # gone since it was listed
                    total += entry.stat(follow_symlinks=False).st_size + ENTRY_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total


def _login_settings() -> dict[str, str]:
    """Variables that stand in for the user's git settings, of which only logins are kept."""
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    found = settings(Path("/"), {"GIT_DIR": "/nonexistent"})
    kept = [(key, value) for key, value in found if key.startswith(_KEPT_SETTINGS)]
    for index, (key, value) in enumerate(kept):
        variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    own_ssh = {"GIT_SSH", "GIT_SSH_COMMAND"} & set(os.environ) or "core.sshcommand" in dict(kept)
    if not own_ssh:
        variables["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
    return variables | {"GIT_CONFIG_COUNT": str(len(kept))}


@contextlib.contextmanager
def _draft(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, gone afterwards unless it was moved away."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".evc-git-", dir=parent))
    try:
        yield folder
    finally:
        for _ in range(50):  # processes killed just now may still be writing to it
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)
