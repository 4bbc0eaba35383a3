"""Fetching projects with git, and asking a checkout for its commit.

What is fetched is hostile until shown otherwise: no hook, filter, submodule or helper of a
repository runs, and none of the user's settings but those that say how to log in.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evc.pure.errors import EvcError
from evc.pure.sources import Source

POLL_SECONDS = 0.2
QUERY_SECONDS = 60.0
MAX_OUTPUT = 1_000_000
MAX_STDERR = 4_000
# What a file costs beyond its bytes, so that a million empty ones are too much as well.
ENTRY_BYTES = 4096

# Variables and settings of the user that say how to reach and trust a server, and whom to be there.
_KEPT_VARIABLES = ("GIT_SSH", "GIT_ASKPASS", "GIT_SSL_", "GIT_PROXY_SSL_", "GIT_HTTP_PROXY")
_KEPT_SETTINGS = ("credential.", "http.", "url.", "ssh.variant", "core.sshcommand", "core.askpass")
# Settings of a repository that decide when a file counts as changed, and run nothing.
_HARMLESS = ("core.filemode", "core.autocrlf", "core.eol", "core.symlinks", "core.ignorecase",
             "core.trustctime", "core.checkstat")  # fmt: skip
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
_STATUS = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all",
           "--no-renames")  # fmt: skip
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


def commit_of(folder: Path) -> str:
    """The commit that `folder` is checked out at, `+dirty` behind it when tracked files differ.

    '' when there is none, or when git does not trust the folder. Nothing that the repository
    configures is run: files are compared by a git folder of our own, without its settings.
    """
    try:
        options = ("--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir")
        places = _query(folder, ["rev-parse", *options, "HEAD"]).splitlines()
        if len(places) != 4:
            return ""
        settings = _comparison_settings(folder)
        with _bare_view(*places) as variables:
            # A folder that HEAD does not hold, such as one that git ignores, has no commit.
            if not _query(folder, ["rev-parse", "--verify", "--quiet", "HEAD:./"], variables):
                return ""
            changed = _query(folder, [*settings, *_STATUS, "--", "."], variables)
    except (OSError, EvcError):
        return ""
    return f"{places[3]}+dirty" if changed else places[3]


class _Checkout:
    """A fetch under way in `folder`, watched so that neither time nor disk run out."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.deadline = time.monotonic() + limits.seconds
        self.settings = [item for setting in _SAFE for item in ("-c", setting)]
        self.environment = {
            **_environment(),
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
        with _group(command, self.folder, self.environment) as process:
            self._limit(process)
            tail = _Tail(process.stderr, MAX_STDERR)
            output = _Tail(process.stdout, MAX_STDERR)
            self._watch(process)
        if process.returncode:
            raise _failed(words[0], tail.text())
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


class _Tail:
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
def _group(
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


def _environment() -> dict[str, str]:
    """This process's variables without those that lead git elsewhere; nobody to ask for a login."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT_VARIABLES)
    }
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _login_settings() -> dict[str, str]:
    """Variables that stand in for the user's git settings, of which only logins are kept."""
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    found = _settings(Path("/"), {"GIT_DIR": "/nonexistent"})
    kept = [(key, value) for key, value in found if key.startswith(_KEPT_SETTINGS)]
    for index, (key, value) in enumerate(kept):
        variables |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    own_ssh = {"GIT_SSH", "GIT_SSH_COMMAND"} & set(os.environ) or "core.sshcommand" in dict(kept)
    if not own_ssh:
        variables["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
    return variables | {"GIT_CONFIG_COUNT": str(len(kept))}


def _settings(folder: Path, extra: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Git's settings as seen from `folder`; reading them runs nothing."""
    entries = _query(folder, ["config", "--list", "-z"], extra).split("\0")
    pairs = [entry.partition("\n") for entry in entries if entry]
    return [(key, value if separator else "true") for key, separator, value in pairs]


def _comparison_settings(folder: Path) -> list[str]:
    found = _settings(folder)
    return [word for key, value in found if key in _HARMLESS for word in ("-c", f"{key}={value}")]


@contextlib.contextmanager
def _bare_view(top: str, git_folder: str, common: str, commit: str) -> Iterator[dict[str, str]]:
    """Variables for a git folder with a repository's objects and index, and none of its settings.

    Its own could name programs: fsmonitor, filters, textconv, or a remote that fills in objects.
    """
    with tempfile.TemporaryDirectory(prefix="evc-git-") as name:
        view = Path(name)
        (view / "refs").mkdir()
        (view / "HEAD").write_text(f"{commit}\n")
        for shared in Path(git_folder).glob("sharedindex.*"):
            (view / shared.name).symlink_to(shared)
        yield {
            "GIT_DIR": name,
            "GIT_WORK_TREE": top,
            "GIT_OBJECT_DIRECTORY": str(Path(common) / "objects"),
            "GIT_INDEX_FILE": str(Path(git_folder) / "index"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }


def _query(folder: Path, words: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
    """What a git command that changes nothing says; raises EvcError."""
    settings = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    environment = {**_environment(), "GIT_ALLOW_PROTOCOL": "none", **(extra or {})}
    with _group(["git", *settings, *words], folder, environment) as process:
        output, tail = _Tail(process.stdout, MAX_OUTPUT), _Tail(process.stderr, MAX_STDERR)
        try:
            process.wait(QUERY_SECONDS)
        except subprocess.TimeoutExpired:
            raise EvcError(f"git {words[0]} took longer than {QUERY_SECONDS:.0f} s") from None
    if process.returncode:
        raise _failed(words[0], tail.text())
    return output.text()


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


def _failed(step: str, said: str) -> EvcError:
    text = "".join(letter if letter.isprintable() else " " for letter in said)
    remedies = [remedy for mark, remedy in _REMEDIES.items() if mark in said]
    message = f"git {step} failed: {' '.join(text.split())[-500:] or 'no reason given'}"
    return EvcError(message, (remedies or ["try `git clone` by hand"])[0])
