"""The sudo password that registering and removing a node may need."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from evc.doors.fleet import Fleet, read_private, write_private
from evc.pure.errors import BadInput

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """`--sudo-file` and `--ask-sudo`."""
    ask = click.option("--ask-sudo", is_flag=True, help="Ask for the sudo password; not kept.")
    text = "0600 file with the sudo password; - for stdin."
    return click.option("--sudo-file", metavar="FILE", help=text)(ask(command))


@contextlib.contextmanager
def private_file(fleet: Fleet, name: str, file: str | None, ask: bool) -> Iterator[Path | None]:
    """The sudo password as a 0600 file; one that was typed or piped is gone afterwards."""
    if file is not None and file != "-":
        read_private(Path(file))
        yield Path(file).absolute()
    elif ask or file == "-":
        draft = fleet.certs / f".{name}.sudo"
        password = _typed(name) if ask else sys.stdin.readline().rstrip("\n")
        try:
            write_private(draft, password)
            yield draft
        finally:
            draft.unlink(missing_ok=True)
    else:
        yield None


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on", "--sudo-file FILE, or - for stdin")
    password: str = click.prompt(f"sudo password on {name}", hide_input=True, err=True)
    return password
