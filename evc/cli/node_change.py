"""`evc node set` and `evc node place`."""

from __future__ import annotations

import math
from typing import Any

import click

from evc.cli import completion, console, outcomes
from evc.pure import names
from evc.pure.errors import BadInput
from evc.pure.inventory import Place
from evc.runbooks import change_nodes
from evc.runbooks import nodes as inventory
from evc.runbooks.change_nodes import Change


@click.command("set")
@click.argument("name", required=False, shell_complete=completion.nodes)
@console.on_option
@click.option("--title", help="What people call it; any script.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Give it a label.")
@click.option("--unlabel", multiple=True, metavar="KEY", help="Take a label away.")
@click.option("--group", "groups", multiple=True, help="A group it joins.")
@click.option("--ungroup", multiple=True, metavar="GROUP", help="A group it leaves.")
@click.option("--address", help="The same machine's new address.")
@click.option("--port", help="The same machine's new SSH port.")
@click.option("--metered/--no-metered", default=None, help="Its link is paid by the byte.")
@console.output_option
@click.pass_obj
def set_command(
    folder: str | None, /, name: str | None, selector: str | None, output: str, **given: Any
) -> Any:
    """Change what the inventory says of nodes; the machines are not contacted.

    A machine that moved keeps its pinned host key: for another machine, `evc node replace`.

    \b
    Example:
      evc node set cam01 --title '부산 1호점 입구' --label site=busan
      evc node set --on lab --group shop --metered
    """
    wanted = _change(given)
    if wanted == Change():
        raise BadInput("nothing to change", "evc node set --help")
    if name is None and (wanted.address or wanted.port or wanted.title):
        raise BadInput("title, address and port are one node's", "evc node set NAME …")
    return _changed(folder, _which(name, selector), wanted, "node set", output)


@click.command("place")
@click.argument("name", shell_complete=completion.nodes)
@click.option("--latitude", type=float, help="Degrees north, -90 to 90.")
@click.option("--longitude", type=float, help="Degrees east, -180 to 180.")
@click.option("--address", default="", help="What people call the place.")
@console.output_option
@click.pass_obj
def place_command(
    folder: str | None,
    name: str,
    latitude: float | None,
    longitude: float | None,
    address: str,
    output: str,
) -> Any:
    """Say where a machine stands, for maps.

    \b
    Example:
      evc node place cam01 --latitude 35.1796 --longitude 129.0756 --address '부산시청'
    """
    if (latitude is None) is not (longitude is None) or (latitude is None and not address):
        raise BadInput("where is it?", "--latitude and --longitude, or --address, or all three")
    for value, most in ((latitude, 90), (longitude, 180)):
        if value is not None and not (math.isfinite(value) and abs(value) <= most):
            raise BadInput(f"{value} is not between -{most} and {most} degrees")
    try:
        place = Place(names.safe_text(address), latitude, longitude)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return _changed(folder, name, Change(place=place), "node place", output)


def _changed(folder: str | None, which: str, wanted: Change, command: str, output: str) -> Any:
    fleet, opening = console.opened(folder)
    with opening as opened:
        nodes = inventory.selected(opened, which)
        outcome = change_nodes.change(fleet, opened, nodes, wanted, f"{command} {which}")
    return outcomes.show(outcome, output)


def _which(name: str | None, selector: str | None) -> str:
    wanted = name if selector is None else selector
    if wanted is None or (name is not None and selector is not None):
        raise BadInput("which nodes?", "a NAME, or --on SELECTOR")
    return wanted


def _change(given: dict[str, Any]) -> Change:
    try:
        return Change(
            title=None if given["title"] is None else names.safe_text(given["title"]),
            address=None if given["address"] is None else names.address(given["address"]),
            port=None if given["port"] is None else names.port(given["port"]),
            metered=given["metered"],
            labels=dict(names.label(text) for text in given["labels"]),
            unlabel=frozenset(given["unlabel"]),
            groups=frozenset(names.group_name(group) for group in given["groups"]),
            ungroup=frozenset(given["ungroup"]),
        )
    except ValueError as error:
        raise BadInput(str(error)) from None
