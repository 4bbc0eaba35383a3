"""`evc predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evc.cli import completion, console
from evc.pure.errors import BadInput, Exit
from evc.runbooks import nodes as inventory
from evc.runbooks import releases
from evc.runbooks.predict import Prediction, predict


@click.command()
@click.argument("model", shell_complete=completion.models)
@click.option(
    "-i", "--image", required=True, metavar="FILE", type=click.Path(path_type=Path), help="A photo."
)
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, model: str, image: Path, selector: str | None, output: str) -> Any:
    """Ask MODEL on each selected node what it sees in FILE, through SSH; results are stored.

    \b
    Example:
      evc predict face-detect -i photo.jpg --on lab
    """
    if selector is None:
        raise BadInput("nobody said on which nodes", "--on SELECTOR")
    fleet, opening = console.opened(folder)
    with opening as opened:
        releases.newest(opened, model)  # says so when there is none
        nodes = [node for node in inventory.selected(opened, selector) if node.edge]
        predictions = predict(fleet, opened, model, nodes, image)
    if output == "json":
        console.show_json({"predictions": [one.as_json() for one in predictions]})
    else:
        rows = [row for one in predictions for row in _rows(one)]
        console.show_table(("NODE", "MS", "CLASS", "PROBABILITY", "BOX"), rows, "No answers.")
    return int(_exit(predictions))


def _exit(predictions: list[Prediction]) -> Exit:
    failed = sum(bool(one.problem) for one in predictions)
    if not failed:
        return Exit.DONE
    return Exit.FAILED if failed == len(predictions) else Exit.PARTIAL


def _rows(one: Prediction) -> list[tuple[str, ...]]:
    if one.problem:
        return [(one.node, "-", one.problem, "", "")]
    if not one.results:
        return [(one.node, f"{one.latency_ms:.0f}", "nothing found", "", "")]
    return [
        (one.node, f"{one.latency_ms:.0f}", found.name, f"{found.probability:.4f}", str(found.box))
        for found in one.results
    ]
