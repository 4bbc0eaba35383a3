"""`evc status --watch`: a live view on a terminal, else a plain table, once."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evc.cli import console, keys
from evc.pure import watching
from evc.pure.errors import EvcError
from evc.pure.names import printable
from evc.pure.panels.fleet import HOT
from evc.pure.panels.model import level
from evc.pure.watching import ORDERS, Seen

if TYPE_CHECKING:
    from rich.text import Text

EVERY_SECONDS = 5.0  # as often as nodes are measured
FRAME_LINES = 3  # the headline, the columns' names, the keys
WIDE, SPARK_CELLS, WIDE_SPARK_CELLS = 120, 8, 24
_COLOURS = {"up": "green", "down": "red", "unknown": "yellow"}
_LEVELS = {"warning": "yellow", "bad": "red"}
_SHOWN = ("NODE", "CPU", "TEMP", "MEM", "MODELS", "STATE", "AGE")
_NUMBERS = ("TEMP", "MEM", "AGE")
_SCROLL = {b"\x1b[A": -1, b"k": -1, b"\x1b[B": 1, b"j": 1, b"\x1b[5~": -10, b"\x1b[6~": 10}

Column = tuple[str, int, bool]  # its name, its cells, whether it is right-aligned
Cell = tuple[str, str]  # text, style
Look = Callable[[], Sequence[Seen]]


def show(look: Look) -> None:
    """Show what `look` finds, until told to stop; raises EvcError when the first look fails."""
    nodes = look()
    if not sys.stdout.isatty():
        _plain(nodes)
        return
    with contextlib.suppress(KeyboardInterrupt), keys.told_to_end(), keys.pressed() as pressed:
        View(nodes).run(look, pressed)


def _plain(nodes: Sequence[Seen]) -> None:
    rows = [
        (
            one.name,
            one.title,
            ",".join(one.groups),
            watching.spark(one.cpu, SPARK_CELLS),
            _number(one.busy, "%"),
            _number(one.temperature, "°C"),
            _number(one.memory, "%"),
            one.models,
            f"{one.state}: {one.reason}" if one.reason else one.state,
            _age(one),
        )
        for _, inside in watching.by_group(nodes, "n", False)
        for one in inside
    ]
    columns = ("NODE", "TITLE", "GROUPS", "CPU", "", "TEMP", "MEM", "MODELS", "STATE", "AGE")
    console.show_table(columns, rows, "No nodes yet: evc node add NAME ADDRESS")


class View:
    """What the screen shows: the nodes, their order, and how far it is scrolled."""

    def __init__(self, nodes: Sequence[Seen]) -> None:
        self._nodes, self._problem = nodes, ""
        self._order, self._backwards, self._top, self._lowest = "n", False, 0, 0

    def run(self, look: Look, pressed: Callable[[float], list[bytes]]) -> None:
        """Draw, wait for a key or the next look, draw again; ends with `q`."""
        from rich.live import Live

        with Live(screen=True, auto_refresh=False) as live:
            due = time.monotonic() + EVERY_SECONDS
            while True:
                live.update(self._screen(live.console.width, live.console.height), refresh=True)
                for key in pressed(max(0.0, due - time.monotonic())):
                    if key in (b"q", b"\x04"):
                        return
                    self._press(key)
                if time.monotonic() >= due:
                    self._look(look)
                    due = time.monotonic() + EVERY_SECONDS

    def _look(self, look: Look) -> None:
        """A database that is away for a moment (it is being restored) is said, and asked again."""
        try:
            self._nodes, self._problem = look(), ""
        except EvcError as error:
            self._problem = error.message

    def _press(self, key: bytes) -> None:
        letter = key.decode("ascii", "replace")
        if letter in ORDERS:
            self._backwards = letter == self._order and not self._backwards
            self._order = letter
        self._scroll(_SCROLL.get(key, 0))

    def _scroll(self, lines: int) -> None:
        self._top = max(0, min(self._top + lines, self._lowest))

    def _screen(self, width: int, height: int) -> Text:
        from rich.text import Text

        columns = _columns(width)
        lines, room = self._lines(), max(1, height - FRAME_LINES)
        self._lowest = max(0, len(lines) - room)
        self._scroll(0)  # there may be fewer lines than before
        shown = [
            Text(printable(one), "bold cyan")
            if isinstance(one, str)
            else _fitted(columns, _cells(one, columns))
            for one in lines[self._top : self._top + room]
        ]
        head = _fitted(columns, [(name, "bold") for name, *_ in columns])
        blank = [Text("")] * (room - len(shown))
        whole = [self._headline(), head, *shown, *blank, self._footer(len(lines), len(shown))]
        for line in whole:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(whole)

    def _lines(self) -> list[str | Seen]:
        """A line for each group, with its nodes below it."""
        found: list[str | Seen] = []
        for group, nodes in watching.by_group(self._nodes, self._order, self._backwards):
            up = sum(one.state == "up" for one in nodes)
            found += [f"{group or 'no group'} · {up} of {len(nodes)} up", *nodes]
        return found

    def _headline(self) -> Text:
        from rich.text import Text

        up = sum(one.state == "up" for one in self._nodes)
        said = f"EVC · {up} of {len(self._nodes)} up · {console.local_time(time.time())}"
        problem = Text(f" · {printable(self._problem)}", "red") if self._problem else Text("")
        return Text(said, "bold").append_text(problem)

    def _footer(self, lines: int, shown: int) -> Text:
        from rich.text import Text

        arrow, name = "↑" if self._backwards else "↓", ORDERS[self._order][0]
        known = " ".join(f"{key} {name}" for key, (name, _) in ORDERS.items())
        where = f"{self._top + 1}-{self._top + shown} of {lines} lines, by {name} {arrow}"
        said = f"{where} · q quit · {known}"
        return Text(said, "dim")


def _columns(width: int) -> list[Column]:
    """What fits a screen of so many cells."""
    if width < WIDE:
        free = max(12, width - SPARK_CELLS - 36)
        sizes = {"CPU": SPARK_CELLS + 5, "TEMP": 5, "STATE": 8, "AGE": 6}
        sizes |= {"NODE": free - free // 2, "MODELS": free // 2}
    else:
        free = width - WIDE_SPARK_CELLS - 33
        sizes = {"CPU": WIDE_SPARK_CELLS + 5, "TEMP": 5, "MEM": 5, "AGE": 6}
        sizes |= {"NODE": free - 2 * (free // 3), "MODELS": free // 3, "STATE": free // 3}
    return [(name, sizes[name], name in _NUMBERS) for name in _SHOWN if name in sizes]


def _cells(one: Seen, columns: Sequence[Column]) -> list[Cell]:
    wide = len(columns) == len(_SHOWN)
    bars = watching.spark(one.cpu, WIDE_SPARK_CELLS if wide else SPARK_CELLS)
    state = f"{one.state}: {one.reason}" if wide and one.reason else one.state
    cells = {
        "NODE": (f"  {one.name} {one.title}".rstrip(), ""),
        "CPU": (f"{bars} {_number(one.busy, '%'):>4}", ""),
        "TEMP": (
            _number(one.temperature, "°C"),
            _LEVELS.get(level(HOT, one.temperature) or "", ""),
        ),
        "MEM": (_number(one.memory, "%"), ""),
        "MODELS": (one.models, ""),
        "STATE": (state, "yellow" if one.state == "up" and one.reason else _COLOURS[one.state]),
        "AGE": (_age(one), ""),
    }
    return [cells[name] for name, *_ in columns]


def _fitted(columns: Sequence[Column], cells: Sequence[Cell]) -> Text:
    """One line, each cell as wide as its column: Hangul takes two cells of a terminal."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    line = Text()
    for (_, size, right), (text, style) in zip(columns, cells, strict=True):
        text = printable(text)
        if (width := cell_len(text)) > size:
            text = set_cell_size(text, size - 1) + "…"
        elif right:
            text = " " * (size - width) + text
        line.append(set_cell_size(text, size), style).append(" ")
    return line


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f}{unit}"


def _age(one: Seen) -> str:
    return "" if one.age is None else watching.span(one.age)
