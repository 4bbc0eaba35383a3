"""Progress on stderr: a live table on a terminal, plain lines in cron and pipes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from evc.pure.names import printable
from evc.runbooks.progress import Progress

BAR_CELLS = 20
PLAIN_SECONDS = 5.0
OUTPUT_LINES = 8


@dataclass
class _Line:
    doing: str = ""
    done: int = 0
    total: int = 0
    said: float = 0.0


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """Progress for the time of a command."""
    if not sys.stderr.isatty():
        yield PlainProgress()
        return
    live = LiveProgress()
    with live:
        yield live


class PlainProgress:
    """A line when a node does something else; bars only now and then."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def say(self, line: str) -> None:
        click.echo(printable(line), err=True)

    def node(self, name: str, doing: str, done: int = 0, total: int = 0) -> None:
        line, now = self._lines.setdefault(name, _Line()), time.monotonic()
        if doing == line.doing and (not total or now - line.said < PLAIN_SECONDS):
            return
        line.doing, line.said = doing, now
        amount = f" {done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else ""
        self.say(f"{name}: {doing}{amount}")

    def output(self, name: str, line: str) -> None:
        self.say(f"{name} | {line}")


class LiveProgress:
    """A line per node with a bar for what has one, and the last lines of a build below."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._lines: dict[str, _Line] = {}
        self._output: list[str] = []

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(printable(line))

    def node(self, name: str, doing: str, done: int = 0, total: int = 0) -> None:
        self._lines[name] = _Line(doing, done, total)
        # A new step of a node begins with an empty page.
        self._output = [line for line in self._output if not line.startswith(f"{name} | ")]
        self._draw()

    def output(self, name: str, line: str) -> None:
        self._output = [*self._output[1 - OUTPUT_LINES :], f"{name} | {line}"]
        self._draw()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, line in sorted(self._lines.items()):
            bar = ProgressBar(line.total, line.done, width=BAR_CELLS) if line.total else Text("")
            amount = f"{line.done / 1e6:.0f}/{line.total / 1e6:.0f} MB" if line.total else ""
            table.add_row(Text(name, "bold"), Text(printable(line.doing)), bar, Text(amount))
        width = self._console.width
        tail = [Text(printable(line)[:width], "dim") for line in self._output]
        self._live.update(Group(table, *tail))
