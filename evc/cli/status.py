"""`evc status`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console
from evc.doors import store
from evc.doors.fleet import share
from evc.pure.names import printable
from evc.runbooks import nodes as inventory
from evc.runbooks.status import status


@click.command()
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, selector: str | None, output: str) -> Any:
    """What runs where, asked of the nodes now.

    \b
    Example:
      evc status --on lab
    """
    fleet = console.fleet(folder)
    with store.opened(fleet.database, share() / "db") as opened:
        chosen = inventory.chosen(opened, selector)
        document = status(fleet, opened, chosen)
    if output == "json":
        console.show_json(document)
        return 0
    rows = [row for node in document["nodes"] for row in _rows(node)]
    columns = ("NODE", "GROUPS", "ARCH", "UP", "MODEL", "RELEASE", "STATE", "URL")
    console.show_table(columns, rows, "No nodes yet: evc node add NAME ADDRESS")
    for node in document["nodes"]:
        if node["reason"]:
            console.say(f"{node['name']}: {printable(node['reason'])}")
    return 0


def _rows(node: dict[str, Any]) -> list[tuple[str, ...]]:
    first = (node["name"], ",".join(node["groups"]), node["arch"], "up" if node["up"] else "down")
    models = [
        (one["model"], one["release"], one["state"], one["url"]) for one in node["models"]
    ] or [("-", "-", "none", "")]
    return [(*(first if index == 0 else ("",) * 4), *one) for index, one in enumerate(models)]
