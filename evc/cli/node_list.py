"""`evc node list` and `evc node show`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from evc.cli import completion, console
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory


@click.command("list")
@console.on_option
@console.output_option
@click.pass_obj
def list_command(folder: str | None, selector: str | None, output: str) -> Any:
    """The inventory with facts.

    \b
    Example:
      evc node list --on 'arch=aarch64 and mem>=4G'
    """
    _, opening = console.opened(folder)
    with opening as opened:
        nodes = inventory.chosen(opened, selector)
    if output == "json":
        console.show_json([_document(node) for node in nodes])
        return 0
    titled = any(node.title for node in nodes)
    rows = [
        (
            node.name,
            *([node.title] if titled else []),
            _place(node),
            "+".join(node.roles),
            ",".join(node.groups),
            node.architecture,
            str(node.facts.get("os", "")),
            "revoked" if node.revoked else "yes" if node.registered else "no",
        )
        for node in nodes
    ]
    title = ["TITLE"] if titled else []
    columns = ("NODE", *title, "ADDRESS", "ROLE", "GROUPS", "ARCH", "OS", "REGISTERED")
    console.show_table(columns, rows, "No nodes yet: evc node add NAME ADDRESS")
    return 0


@click.command("show")
@click.argument("name", shell_complete=completion.nodes)
@console.output_option
@click.pass_obj
def show_command(folder: str | None, name: str, output: str) -> Any:
    """All that is known of one node.

    \b
    Example:
      evc node show cam01
    """
    _, opening = console.opened(folder)
    with opening as opened:
        node = inventory.selected(opened, name)[0]
    document = _document(node)
    if output == "json":
        console.show_json(document)
        return 0
    facts = document.pop("facts")
    place = document.pop("place") or {}
    said = {**document, **{f"place {key}": value for key, value in place.items()}, **facts}
    rows = [(key, value) for key, value in said.items() if value not in ("", [], {}, None)]
    console.show_table(("WHAT", "VALUE"), rows, "")
    return 0


def _place(node: Node) -> str:
    if node.tunnel:
        return f"(tunnel {node.port} at {node.tunnel})"
    return "(this machine)" if node.local else f"{node.address}:{node.port}"


def _document(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": node.address,
        "port": node.port,
        "roles": node.roles,
        "groups": list(node.groups),
        "labels": dict(node.labels),
        "title": node.title,
        "jump": node.jump,
        "tunnel": node.tunnel,
        "metered": node.metered,
        "place": asdict(node.place) if node.place else None,
        "registered": node.registered,
        "revoked": node.revoked,
        "facts": dict(node.facts),
    }
