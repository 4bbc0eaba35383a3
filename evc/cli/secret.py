"""`evc secret`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evc.cli import config, console, outcomes, progress, scope
from evc.doors.fleet import read_private
from evc.pure.errors import BadInput
from evc.pure.settings import setting
from evc.runbooks import change_settings


@click.group()
def command() -> None:
    """Secrets of containers: a file /run/evc/secrets/NAME, which the variable NAME_FILE names.

    Encrypted at rest on the controller; on a node only the container's account reads them.
    Nothing shows their values.

    \b
    Example:
      evc secret set CAMERA --node cam01
      evc secret set API_TOKEN --file token.txt --model face-detect
      evc secret list
    """


@command.command("set")
@click.argument("name")
@click.option("--file", metavar="FILE", help="A 0600 file that holds it; - for stdin.")
@scope.options
@console.output_option
@click.pass_obj
def set_command(
    folder: str | None,
    name: str,
    file: str | None,
    group: str,
    node: str,
    model: str,
    applying: bool,
    output: str,
) -> Any:
    """Keep a secret, asked for or from a file, and roll it out as a release would be.

    \b
    Example:
      evc secret set CAMERA --node cam01
      pass show shop/camera | evc secret set CAMERA --file - --group shop
    """
    wanted = setting(scope.scope(group, node, model), "secret", name, _value(name, file))
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        outcome = change_settings.change(fleet, opened, [wanted], applying, shown)
    return outcomes.show(outcome, output)


@command.command("list")
@console.on_option
@click.option("--model", default="", help="As this model's container sees them.")
@console.output_option
@click.pass_obj
def list_command(folder: str | None, selector: str | None, model: str, output: str) -> None:
    """The names of all secrets; with --on, of those that hold on each node.

    \b
    Example:
      evc secret list --on cam01
    """
    config.show(folder, selector, model, output, ("secret",))


@command.command("unset")
@click.argument("name")
@scope.options
@console.output_option
@click.pass_obj
def unset_command(
    folder: str | None, name: str, group: str, node: str, model: str, applying: bool, output: str
) -> Any:
    """Forget the secret of exactly that fleet, group or node, and roll that out.

    \b
    Example:
      evc secret unset CAMERA --node cam01
    """
    return config.forget(folder, scope.scope(group, node, model), name, applying, output)


def _value(name: str, file: str | None) -> str:
    if file == "-":
        value = sys.stdin.read().rstrip("\n")
    elif file:
        value = read_private(Path(file))
    elif sys.stdin.isatty():
        value = click.prompt(name, hide_input=True, err=True)
    else:
        raise BadInput("there is no terminal to ask on", "--file FILE, or - for stdin")
    if not value:
        raise BadInput(f"{name} is empty", f"evc secret unset {name}")
    return value
