"""`evc init`."""

from __future__ import annotations

from pathlib import Path

import click

from evc.cli import console
from evc.runbooks.init import init, init_project


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--project", is_flag=True, help="Write a commented myEVCconfig.yaml for a model.")
@click.option("--shared", default="", metavar="GROUP", help="The fleet is this Unix group's.")
def command(directory: Path, project: bool, shared: str) -> None:
    """Make DIRECTORY (default: here) a fleet folder. Asks nothing.

    \b
    Example:
      evc init shop
      evc init /srv/shop --shared operators
      evc init --project my-model
    """
    if project:
        console.say(f"Written: {init_project(directory)}")
        console.say(f"Next: look it over, then evc run {directory} --on SELECTOR")
        return
    fleet = init(directory, shared)
    console.say(f"Fleet folder: {fleet.root}")
    console.say(f"Next: cd {directory} && evc registry up && evc node add NAME ADDRESS")
