"""`evc backup`."""

from __future__ import annotations

from pathlib import Path

import click

from evc.cli import console, passphrase
from evc.runbooks import backups


@click.command()
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, help="The new file.")
@click.option("--images", is_flag=True, help="The registry's images too; they may be large.")
@passphrase.option
@click.pass_obj
def command(folder: str | None, path: Path, images: bool, file: str | None) -> None:
    """Write everything that this controller is to one encrypted file; a logger may go on meanwhile.

    \b
    Example:
      evc backup --to /mnt/usb/fleet.evc
    """
    fleet, opening = console.opened(folder)
    secret = passphrase.given(file, twice=True)
    with opening as opened:
        size = backups.backup(fleet, opened, path, secret, images)
    console.say(f"{path}: {size / 1e6:.1f} MB. Without the passphrase nobody can open it, nor you.")
