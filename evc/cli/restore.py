"""`evc restore`."""

from __future__ import annotations

from pathlib import Path

import click

from evc.cli import console, passphrase
from evc.runbooks import backups


@click.command()
@click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@passphrase.option
def command(path: Path, folder: Path, file: str | None) -> None:
    """Make DIR, a new folder, the fleet folder that was backed up in FILE.

    Nodes need not be touched: keys and CA are the same. End the old controller's logger first.

    \b
    Example:
      evc restore /mnt/usb/fleet.evc ~/shop
    """
    fleet = backups.restore(path, folder, passphrase.given(file, twice=False))
    console.say(f"Fleet folder: {fleet.root}")
    console.say(f"Next: cd {fleet.root} && evc registry up && evc status")
