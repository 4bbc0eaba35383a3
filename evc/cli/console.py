"""What commands share: the fleet they work on, progress on stderr, tables and JSON on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import click

from evc.cli import completion
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.names import printable

Command = TypeVar("Command", bound=Callable[..., Any])


def fleet(folder: str | None) -> Fleet:
    """The fleet folder that `-C` names, or that is found from here up."""
    found = fleets.find(Path(folder) if folder else None)
    fleets.work_together(found.root)
    return found


def opened(folder: str | None) -> tuple[Fleet, AbstractContextManager[Store]]:
    """The fleet, and its database to be opened."""
    found = fleet(folder)
    return found, store.opened(found.database, fleets.share() / "db")


def output_option(command: Command) -> Command:
    """`-o table|json`."""
    choice = click.Choice(["table", "json"])
    return click.option("-o", "output", type=choice, default="table", help="Format on stdout.")(
        command
    )


def on_option(command: Command) -> Command:
    """`--on SELECTOR`."""
    return click.option(
        "--on",
        "selector",
        metavar="SELECTOR",
        help="Which nodes.",
        shell_complete=completion.selectors,
    )(command)


def say(line: str) -> None:
    """A line of progress, on stderr."""
    click.echo(line, err=True)


def show_json(value: Any) -> None:
    """One JSON document on stdout, nothing else."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A table on stdout, or `empty` on stderr when there is nothing to show."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*[printable(str(cell)) for cell in row])
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def local_time(epoch: float) -> str:
    """Epoch seconds as local time with its zone."""
    return fleets.local_time(epoch)
