"""The sudo passwords that registering and removing nodes may need."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from evc.doors.fleet import Fleet, read_private, write_private
from evc.pure import passwords
from evc.pure.errors import BadInput

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """`--sudo-file` and `--ask-sudo`."""
    ask = click.option("--ask-sudo", is_flag=True, help="Ask for the sudo password; not kept.")
    text = "0600 file: the sudo password, or a line `NAME: PASSWORD` for each node; - for stdin."
    return click.option("--sudo-file", metavar="FILE", help=text)(ask(command))


@contextlib.contextmanager
def private_files(
    fleet: Fleet, nodes: Sequence[str], file: str | None, ask: bool
) -> Iterator[dict[str, Path]]:
    """Node → a 0600 file with its sudo password. All but a file of one password are gone after."""
    if file is None and not ask:
        yield {}
        return
    text = _typed(nodes) if ask else _read(str(file))
    if file and file != "-" and not ask and passwords.is_for_all(text):
        yield dict.fromkeys(nodes, Path(file).absolute())
        return
    if ask or file == "-":
        found = passwords.one_for_all(text, nodes)
    else:
        found = passwords.read(text, str(file), nodes)
    with tempfile.TemporaryDirectory(prefix=".sudo-", dir=fleet.certs) as folder:
        drafts = {name: Path(folder) / name for name in found}
        for name, draft in drafts.items():
            write_private(draft, found[name].reveal())
        yield drafts


def _read(file: str) -> str:
    return sys.stdin.readline().rstrip("\n") if file == "-" else read_private(Path(file))


def _typed(nodes: Sequence[str]) -> str:
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on", "--sudo-file FILE, or - for stdin")
    where = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes"
    password: str = click.prompt(f"sudo password on {where}", hide_input=True, err=True)
    return password
