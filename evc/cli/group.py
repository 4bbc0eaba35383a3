"""`evc group`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from evc.cli import completion, console
from evc.pure import names
from evc.pure.errors import BadInput
from evc.runbooks import groups
from evc.runbooks.groups import Group


@click.group()
def command() -> None:
    """Named clusters of nodes, for `--on`: fixed sets, and saved selectors.

    \b
    Example:
      evc group create busan --on 'cam0*'
      evc group create gpus --on 'gpu and mem>=4G' --saved
      evc group list
    """


@command.command()
@click.argument("name")
@click.option("--on", "selector", metavar="SELECTOR", required=True, help="Who is in it.")
@click.option("--saved", is_flag=True, help="Keep the selector, and ask it anew each time.")
@click.pass_obj
def create(folder: str | None, name: str, selector: str, saved: bool) -> None:
    """Make a group of the nodes that SELECTOR means now, or (--saved) whenever it is used.

    A fixed group that is there gets these nodes too; a saved one gets the new selector.

    \b
    Example:
      evc group create busan --on cam01,cam02
      evc group create gpus --on 'gpu and mem>=4G' --saved
    """
    try:
        names.group_name(name)
    except ValueError as error:
        raise BadInput(str(error)) from None
    fleet, opening = console.opened(folder)
    with opening as opened:
        group = groups.create(fleet, opened, name, selector, saved)
    console.say(f"{group.name}: {', '.join(group.nodes) or 'nobody now'}")


@command.command("list")
@console.output_option
@click.pass_obj
def list_groups(folder: str | None, output: str) -> None:
    """All groups and how many nodes are in them now.

    \b
    Example:
      evc group list
    """
    _, opening = console.opened(folder)
    with opening as opened:
        found = groups.everything(opened)
    if output == "json":
        console.show_json([_document(group) for group in found])
        return
    rows = [(one.name, _kind(one), len(one.nodes), one.selector) for one in found]
    console.show_table(("GROUP", "KIND", "NODES", "SELECTOR"), rows, "No groups yet.")


@command.command()
@click.argument("name", shell_complete=completion.groups)
@console.output_option
@click.pass_obj
def show(folder: str | None, name: str, output: str) -> None:
    """Who is in a group now.

    \b
    Example:
      evc group show busan
    """
    _, opening = console.opened(folder)
    with opening as opened:
        group = groups.named(opened, name)
    if output == "json":
        console.show_json(_document(group))
        return
    console.show_table(("NODE",), [(node,) for node in group.nodes], "Nobody is in it now.")


@command.command()
@click.argument("name", shell_complete=completion.groups)
@click.pass_obj
def remove(folder: str | None, name: str) -> None:
    """End a group; its nodes stay, and what runs on them.

    \b
    Example:
      evc group remove busan
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        group = groups.remove(fleet, opened, name)
    console.say(f"{group.name} is no group any more; its nodes stay.")


def _kind(group: Group) -> str:
    return "saved" if group.selector else "fixed"


def _document(group: Group) -> dict[str, Any]:
    return {**asdict(group), "kind": _kind(group), "nodes": list(group.nodes)}
