"""`evc deploy`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console, outcomes, progress
from evc.doors import store
from evc.doors.fleet import share
from evc.pure.errors import BadInput
from evc.runbooks import releases
from evc.runbooks import run as runs


@click.command()
@click.argument("model")
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, model: str, selector: str | None, output: str) -> Any:
    """Put a built release of MODEL (or MODEL:VERSION) on nodes and wait until it serves.

    \b
    Example:
      evc deploy face-detect:1.0 --on lab
    """
    if selector is None:
        raise BadInput("nobody said on which nodes", "--on SELECTOR")
    fleet = console.fleet(folder)
    with store.opened(fleet.database, share() / "db") as opened, progress.shown() as shown:
        name, _, version = model.partition(":")
        built = releases.newest(opened, name, version or None)
        outcome = runs.deploy(fleet, opened, built, selector, shown)
    return outcomes.show(outcome, output)
