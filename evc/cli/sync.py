"""`evc sync`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console, outcomes, progress
from evc.pure.errors import Locked
from evc.runbooks import nodes as inventory
from evc.runbooks.sync import sync


@click.command()
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, selector: str | None, output: str) -> Any:
    """Bring nodes to what they should run: those that were dead, changed by hand, or replaced.

    Meant for cron: with nothing to do it changes nothing, and while another command works on a
    model it leaves that to it.

    \b
    Example:
      evc sync
      */10 * * * *  evc -C /srv/fleet sync
    """
    fleet, opening = console.opened(folder)
    try:
        with opening as opened, progress.shown() as shown:
            outcome = sync(fleet, opened, inventory.chosen(opened, selector), shown)
    except Locked as error:
        console.say(str(error))
        return 0
    return outcomes.show(outcome, output)
