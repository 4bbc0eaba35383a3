"""`evc status`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console, watch
from evc.pure.errors import BadInput
from evc.pure.links import MEGABYTE
from evc.pure.names import printable
from evc.pure.watching import span
from evc.runbooks import nodes as inventory
from evc.runbooks import watch as runbook
from evc.runbooks.status import status

_MODEL = ("MODEL", "RELEASE", "STATE", "URL")
# Figure → how it is shown; CPU as people know it, not as the share that is idle.
_FIGURES = (("idle", "cpu {:.0f}%"), ("memory_used", "mem {:.0f}%"), ("temperature", "{:.0f}°C"))


@click.command()
@click.option("--watch", "live", is_flag=True, help="A live view of what the logger records.")
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, live: bool, selector: str | None, output: str) -> Any:
    """What runs where, asked of the nodes now; with --watch as the logger records it.

    \b
    Example:
      evc status --on lab
      evc status --watch
    """
    if live:
        if output != "table":
            raise BadInput("--watch shows a table", "leave one of them out")
        fleet = console.fleet(folder)
        watch.show(lambda: runbook.watch(fleet, selector))
        return 0
    fleet, opening = console.opened(folder)
    with opening as opened:
        chosen = inventory.chosen(opened, selector)
        document = status(fleet, opened, chosen)
    if output == "json":
        console.show_json(document)
        return 0
    rows = [row for node in document["nodes"] for row in _rows(node)]
    columns = ("NODE", "GROUPS", "ARCH", "UP", "SAMPLE", *_MODEL)
    console.show_table(columns, rows, "No nodes yet: evc node add NAME ADDRESS")
    for node in document["nodes"]:
        if node["reason"]:
            console.say(f"{node['name']}: {printable(node['reason'])}")
    return 0


def _rows(node: dict[str, Any]) -> list[tuple[str, ...]]:
    up, sample = "up" if node["up"] else "down", _sample(node)
    name = f"{node['name']} {node['title']}".rstrip()
    first = (name, ",".join(node["groups"]), node["arch"], up, sample)
    models = [
        (one["model"], one["release"], one["state"], one["url"]) for one in node["models"]
    ] or [("-", "-", "none", "")]
    return [(*(first if index == 0 else ("",) * 5), *one) for index, one in enumerate(models)]


def _sample(node: dict[str, Any]) -> str:
    """The newest sample and its age in a few words."""
    if node["sample"] is None:
        return "-"
    figures = dict(node["sample"])
    figures["idle"] = None if figures["idle"] is None else 100.0 - figures["idle"]
    shown = [form.format(figures[key]) for key, form in _FIGURES if figures[key] is not None]
    if node["link_budget"]:
        carried, most = (node["link_bytes_today"] or 0) / MEGABYTE, node["link_budget"] / MEGABYTE
        shown.append(f"{carried:.2f}/{most:g} MB")
    return " ".join([*shown, f"({span(node['sample_age_s'])} ago)"])
