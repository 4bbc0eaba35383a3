"""A pseudo-terminal that a program draws on, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

HOME = "\x1b[H"
SHOWN, HIDDEN = "\x1b[?1049h", "\x1b[?1049l"  # the other screen that full-screen programs draw on
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, command: Sequence[str], columns: int, lines: int) -> None:
        self._main, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(other)
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=environment,
            preexec_fn=lambda: _own(other), start_new_session=True)  # fmt: skip
        self._other, self.text = other, ""

    def type(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def until(self, what: Callable[[list[str]], bool], seconds: float = 30) -> list[str]:
        """The screen's lines, as soon as they are as wanted."""
        deadline = time.monotonic() + seconds
        while not what(lines := self.screen()):
            assert time.monotonic() < deadline, "\n".join(lines) or self.text[-2000:]
            self.read()
        return lines

    def screen(self) -> list[str]:
        """The newest whole frame."""
        frames = self.text.split(HOME)
        return [_ESCAPE.sub("", line).rstrip("\r") for line in frames[-1].split("\n")]

    def ended(self) -> tuple[int, list[object]]:
        """The program's exit code, and how the terminal is set afterwards."""
        code = self.process.wait(timeout=10)
        self.read()
        return code, termios.tcgetattr(self._other)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._main)
        os.close(self._other)

    def read(self) -> None:
        """Take what it has drawn meanwhile, so that it never waits for a reader."""
        if select.select([self._main], [], [], 0.1)[0]:
            self.text += os.read(self._main, 1_000_000).decode(errors="replace")


def _own(terminal: int) -> None:
    """As a shell starts a program: Ctrl-C ends it, though the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
