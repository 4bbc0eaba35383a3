"""`evc init`."""

from __future__ import annotations

from pathlib import Path

import click

from evc.cli import console
from evc.runbooks.init import init


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> None:
    """Make DIRECTORY (default: here) a fleet folder. Asks nothing.

    \b
    Example:
      evc init shop
    """
    fleet = init(directory)
    console.say(f"Fleet folder: {fleet.root}")
    console.say(f"Next: cd {directory} && evc registry up && evc node add NAME ADDRESS")
