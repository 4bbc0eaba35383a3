"""`evc report`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from evc.cli import console
from evc.pure.pictures import choices
from evc.runbooks import report


@click.command()
@click.option("--since", default="7d", help="7d, 24h, 90m, or a date; 7d if not given.")
@click.option("--to", "path", metavar="FILE", required=True, help="The file to write.",
              type=click.Path(dir_okay=False, writable=True, path_type=Path))  # fmt: skip
@console.on_option
@click.pass_obj
def command(folder: str | None, since: str, path: Path, selector: str | None) -> None:
    """All dashboards in one HTML file, without scripts: to mail, to keep.

    \b
    Example:
      evc report --since 7d --to report.html
    """
    span = choices.since(since, time.time())
    written = report.write(console.fleet(folder), selector, span, path)
    console.say(f"{path}: {written.bytes / 1e6:.1f} MB")
    if written.left_out:
        console.say(written.left_out)
