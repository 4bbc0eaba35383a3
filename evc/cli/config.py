"""`evc config`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evc.cli import console, outcomes, progress, scope
from evc.doors.fleet import read_config
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.settings import Kind, Scope, Setting, effective, setting
from evc.runbooks import change_settings, settings
from evc.runbooks import nodes as inventory


@click.group()
def command() -> None:
    """Variables and files that containers get, by fleet, group and node.

    What is nearer wins: fleet, then group, then node; of one scope, what is for a model.

    \b
    Example:
      evc config set THRESHOLD=0.8
      evc config set CAMERA=/dev/video0 --node cam01
      evc config list --on cam01
    """


@command.command("set")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--file", "files", multiple=True, metavar="NAME=FILE", help="Found at /run/evc/files."
)
@scope.options
@console.output_option
@click.pass_obj
def set_command(
    folder: str | None,
    pairs: tuple[str, ...],
    files: tuple[str, ...],
    group: str,
    node: str,
    model: str,
    applying: bool,
    output: str,
) -> Any:
    """Set variables and files, and bring the nodes where they hold to them, as a release would be.

    A container that is not healthy with them is taken back, and the one before serves on. A value
    with a password in it belongs to `evc secret`.

    \b
    Example:
      evc config set THRESHOLD=0.8 CAMERA=/dev/video0 --group shop
      evc config set --file zones.json=./zones.json --node cam01 --model face-detect
    """
    where = scope.scope(group, node, model)
    wanted = [setting(where, "variable", *_pair(one)) for one in pairs]
    for one in files:
        name, path = _pair(one)
        wanted.append(setting(where, "file", name, read_config(Path(path))))
    if not wanted:
        raise BadInput("nothing to set", "evc config set KEY=VALUE")
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        outcome = change_settings.change(fleet, opened, wanted, applying, shown)
    return outcomes.show(outcome, output)


@command.command("list")
@console.on_option
@click.option("--model", default="", help="As this model's container sees them.")
@console.output_option
@click.pass_obj
def list_command(folder: str | None, selector: str | None, model: str, output: str) -> None:
    """All settings; with --on, those that hold on each node, and where they come from.

    \b
    Example:
      evc config list
      evc config list --on cam01 --model face-detect
    """
    show(folder, selector, model, output, ("variable", "file", "secret"))


@command.command("unset")
@click.argument("key")
@scope.options
@console.output_option
@click.pass_obj
def unset_command(
    folder: str | None, key: str, group: str, node: str, model: str, applying: bool, output: str
) -> Any:
    """Forget the setting of exactly that fleet, group or node, and roll that out.

    \b
    Example:
      evc config unset THRESHOLD --group shop
    """
    return forget(folder, scope.scope(group, node, model), key, applying, output)


def show(
    folder: str | None, selector: str | None, model: str, output: str, kinds: tuple[Kind, ...]
) -> None:
    """All settings of `kinds`, or (`selector`) those that hold on each node."""
    fleet, opening = console.opened(folder)
    with opening as opened:
        known = [one for one in settings.everything(fleet, opened) if one.kind in kinds]
        if selector is None:
            rows = [_row(one) for one in known]
        else:
            chosen = inventory.selected(opened, selector)
            rows = [row for node in chosen for row in _held(known, node, model)]
    if output == "json":
        console.show_json(rows)
        return
    columns = [name.upper() for name in rows[0]] if rows else []
    console.show_table(columns, [tuple(row.values()) for row in rows], "No settings yet.")


def forget(folder: str | None, where: Scope, key: str, applying: bool, output: str) -> int:
    """Forget a setting and roll that out; the command's exit code."""
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        outcome = change_settings.unset(fleet, opened, where, key, applying, shown)
    return outcomes.show(outcome, output)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise BadInput(f"{text[:80]!r} is not KEY=VALUE")
    return key, value


def _row(one: Setting) -> dict[str, str]:
    return {
        "key": one.key,
        "kind": one.kind,
        "value": one.shown,
        "scope": f"{one.scope.level} {one.scope.owner}".strip(),
        "model": one.scope.model,
    }


def _held(known: Sequence[Setting], node: Node, model: str) -> list[dict[str, str]]:
    held = effective(known, node.name, node.groups, model)
    return [{"node": node.name, **_row(one)} for one in held.values()]
