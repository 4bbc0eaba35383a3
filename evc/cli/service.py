"""`evc service`."""

from __future__ import annotations

import click

from evc.cli import console
from evc.runbooks import services


@click.group()
def command() -> None:
    """The logger, the sync and the certificate's renewal as services of this machine (systemd).

    \b
    Example:
      evc service install
    """


@command.command()
@click.pass_obj
def install(folder: str | None) -> None:
    """Install the services and start them; they come back with the machine.

    \b
    Example:
      evc service install
    """
    for name in services.install(console.fleet(folder)):
        console.say(f"installed {name}")


@command.command()
@click.pass_obj
def remove(folder: str | None) -> None:
    """Stop the services and take them away.

    \b
    Example:
      evc service remove
    """
    for name in services.remove(console.fleet(folder)):
        console.say(f"removed {name}")


@command.command()
@console.output_option
@click.pass_obj
def status(folder: str | None, output: str) -> None:
    """Whether the services run.

    \b
    Example:
      evc service status
    """
    found = services.status(console.fleet(folder))
    if output == "json":
        console.show_json(found)
    else:
        console.show_table(("SERVICE", "STATE"), list(found.items()), "")
