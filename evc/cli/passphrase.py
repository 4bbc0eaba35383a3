"""The passphrase of a backup: from a prompt, stdin or a 0600 file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evc.doors.fleet import read_private
from evc.pure.errors import BadInput
from evc.pure.secret import Secret

Command = TypeVar("Command", bound=Callable[..., Any])


def option(command: Command) -> Command:
    """`--passphrase-file`."""
    text = "0600 file with the passphrase; - for stdin. Without it, you are asked."
    return click.option("--passphrase-file", "file", metavar="FILE", help=text)(command)


def given(file: str | None, twice: bool) -> Secret:
    """The passphrase; raises BadInput when there is nobody to ask."""
    if file == "-":
        return Secret(sys.stdin.readline().rstrip("\n"))
    if file:
        return Secret(read_private(Path(file)))
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on", "--passphrase-file FILE, or - for stdin")
    typed: str = click.prompt("passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return Secret(typed)
