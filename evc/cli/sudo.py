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
from evc.pure.secret import Secret

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """`--sudo-file` and `--ask-sudo`."""
    ask = click.option(
        "--ask-sudo",
        is_flag=True,
        help="Ask for the sudo password, or one for each node; not kept.",
    )
    text = "0600 file (- for stdin): the sudo password, or a line `NAME: PASSWORD` for each node."
    return click.option("--sudo-file", metavar="FILE", help=text)(ask(command))


@contextlib.contextmanager
def private_files(
    fleet: Fleet, nodes: Sequence[str], file: str | None, ask: bool
) -> Iterator[dict[str, Path]]:
    """Node → a 0600 file with its sudo password. All but a file of one password are gone after."""
    if file is None and not ask:
        yield {}
        return
    text = "" if ask else _read(str(file))
    if file and file != "-" and not ask and passwords.is_for_all(text):
        yield dict.fromkeys(nodes, Path(file).absolute())
        return
    found = _asked(nodes) if ask else passwords.read(text, _named(str(file)), nodes)
    with tempfile.TemporaryDirectory(prefix=".sudo-", dir=fleet.certs) as folder:
        drafts = {name: Path(folder) / name for name in found}
        for name, draft in drafts.items():
            write_private(draft, found[name].reveal())
        yield drafts


def _read(file: str) -> str:
    return sys.stdin.read() if file == "-" else read_private(Path(file))


def _named(file: str) -> str:
    return "stdin" if file == "-" else file


def _asked(nodes: Sequence[str]) -> dict[str, Secret]:
    """Node → the password that was typed: one for all, or nothing and then one for each."""
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on", "--sudo-file FILE, or - for stdin")
    if len(nodes) > 1:
        one = _typed(f"{len(nodes)} nodes (Enter: each has its own)", "")
        if one:
            return passwords.one_for_all(one, nodes)
    return {name: Secret(_typed(name)) for name in nodes}


def _typed(where: str, default: str | None = None) -> str:
    password: str = click.prompt(
        f"sudo password on {where}", default, hide_input=True, show_default=False, err=True
    )
    return password
