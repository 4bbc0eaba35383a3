"""Secrets that must stay where they belong, looked for everywhere while commands run."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from conftest import Home

from tests import forked

# Secret → where a file of the fleet folder may hold it, by the beginning of its path.
# Those that are not named here are kept by nobody.
HOLDERS = {
    "sudo": ("certs/lab/edge01.sudo",),
    "push": ("certs/registry/",),
    "pull": ("certs/registry/",),
    "node": ("certs/registry/nodes/edge01", "certs/registry/docker/edge01"),
    "node login": ("certs/registry/docker/edge01",),
    "ssh key": ("certs/id_ed25519",),
    "settings key": ("certs/settings.key",),
}


class CommandLines:
    """Of the processes of this machine, its nodes' too, that are young.

    A process becomes the program that it was begun for soon.
    """

    YOUNG_SECONDS = 1.0

    def __init__(self) -> None:
        self._until = dict[int, float]()

    def look(self) -> Iterator[tuple[str, bytes]]:
        """Where each is, and what it is; those that were there at the first look are young too."""
        now = time.monotonic()
        until = now + self.YOUNG_SECONDS
        self._until = {one: self._until.get(one, until) for one in psutil.pids()}
        for process in (one for one, until in self._until.items() if now < until):
            with contextlib.suppress(OSError):  # it is gone
                yield f"process {process}", Path(f"/proc/{process}/cmdline").read_bytes()


@dataclass
class Watch:
    """Commands at their most verbose; a thread reads every argv and temporary file meanwhile."""

    home: Home
    secrets: Mapping[str, str]
    temporary: Path
    seen: set[str] = field(default_factory=set)

    def evc(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """What the command writes to stdout; its stderr has all that it says of its work."""
        done = threading.Event()
        eye = threading.Thread(target=self._look_on, args=(done,))
        eye.start()
        try:
            verbose = {"TMPDIR": str(self.temporary), "EVC_VERBOSE": "1"}
            ran = forked.run(["-C", str(self.home.fleet.root), *words], stdin=stdin, **verbose)
        finally:
            done.set()
            eye.join()
        said = ran.stdout + ran.stderr
        assert ran.returncode == code, f"{words}: {said}"
        self.look(f"output of evc {' '.join(words)}", said)
        return ran.stdout

    def look(self, where: str, text: str) -> None:
        """Nothing in `text`, and nothing where a file of the fleet folder should hold none."""
        self._note(where, text.encode())
        assert not self.seen, self.seen
        found = list(self._in_fleet())
        assert not found, found

    def _look_on(self, done: threading.Event) -> None:
        """Every argv of young processes, and every file that is another one than a moment ago."""
        processes, files = CommandLines(), dict[Path, tuple[int, ...]]()
        try:
            while not done.wait(0.02):  # what a command does is there for longer
                for process, line in processes.look():
                    self._note(process, line)
                for folder, _, names in os.walk(self.temporary):
                    for name in names:
                        self._note_changed(Path(folder, name), files)
        except Exception as error:
            self.seen.add(f"nobody looked any more: {error!r}")

    def _note_changed(self, file: Path, known: dict[Path, tuple[int, ...]]) -> None:
        with contextlib.suppress(OSError):  # it is gone
            found = file.stat()
            mark = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stat.S_ISREG(found.st_mode) and known.get(file) != mark:
                known[file] = mark
                self._note_file(file)

    def _note_file(self, file: Path) -> None:
        with contextlib.suppress(OSError):
            self._note(str(file), file.read_bytes())

    def _note(self, where: str, content: bytes) -> None:
        for name, secret in self.secrets.items():
            if secret.encode() in content:
                self.seen.add(f"{name}: {where}: {content[:200]!r}")

    def _in_fleet(self) -> Iterator[str]:
        """Files of the fleet folder that hold a secret and should not, or that others can read."""
        root = self.home.fleet.root
        blobs = self.home.fleet.registry_data  # packed; the builder has them unpacked
        files = [one for one in root.rglob("*") if one.is_file() and blobs not in one.parents]
        for file in files:
            content, path = file.read_bytes(), str(file.relative_to(root))
            for name, secret in self.secrets.items():
                if secret.encode() in content:
                    if not path.startswith(HOLDERS.get(name, ("-",))):
                        yield f"{name} in {path}"
                    if file.stat().st_mode & 0o077:
                        yield f"{name} in {path}, which others can read"
