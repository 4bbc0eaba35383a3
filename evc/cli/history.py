"""`evc history`."""

from __future__ import annotations

import json

import click

from evc.cli import completion, console
from evc.runbooks import audit


@click.command()
@click.option("--node", shell_complete=completion.nodes, help="What was done on this node.")
@click.option("-n", "number", type=click.IntRange(1, 10_000), default=30, help="How many rows.")
@console.output_option
@click.pass_obj
def command(folder: str | None, node: str | None, number: int, output: str) -> None:
    """Who changed what and when, the newest last, and how it ended.

    \b
    Example:
      evc history
      evc history --node cam01 -n 100
    """
    _, opening = console.opened(folder)
    with opening as opened:
        rows = audit.newest(opened, number, node)
    if output == "json":
        console.show_json([{**row, "nodes": json.loads(row["nodes"])} for row in rows])
        return
    console.show_table(
        ("TIME", "PERSON", "COMMAND", "NODES", "OUTCOME"),
        [
            (
                console.local_time(row["time"]),
                row["person"],
                row["command"],
                _named(json.loads(row["nodes"])),
                row["outcome"],
            )
            for row in rows
        ],
        "Nothing was changed yet.",
    )


def _named(nodes: list[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= 4 else f"{len(nodes)} nodes"
