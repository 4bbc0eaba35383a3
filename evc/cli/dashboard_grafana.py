"""`evc dashboard grafana`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console
from evc.pure import references
from evc.pure.errors import BadInput, Exit
from evc.runbooks import grafana as runbook

LISTEN = "127.0.0.1:3000"


@click.group()
def grafana() -> None:
    """Grafana in a container, with the dashboards, the datasource and its plugin.

    \b
    Example:
      evc dashboard grafana up
    """


@grafana.command()
@click.option("--listen", metavar="HOST:PORT", default=LISTEN, show_default=True, help="Where.")
@click.pass_obj
def up(folder: str | None, listen: str) -> None:
    """Start Grafana, or another one in the place of what runs. Its own users stay.

    Without the internet: `docker load` its image, and unzip the plugin into
    db/grafana/data/plugins.

    \b
    Example:
      evc dashboard grafana up --listen 192.0.2.5:3000
    """
    try:
        address = references.host_port(listen)
    except ValueError as error:
        raise BadInput(str(error), f"--listen {LISTEN}") from None
    fleet, opening = console.opened(folder)
    with opening:  # the database is there, and of this EVC's schema
        url = runbook.up(fleet, address, console.say)
    console.say(f"{url}: user admin, its password is in {runbook.password_file(fleet)}")


@grafana.command()
@click.pass_obj
def down(folder: str | None) -> None:
    """Stop Grafana and remove its container; what people made in it stays.

    \b
    Example:
      evc dashboard grafana down
    """
    there = runbook.down(console.fleet(folder))
    console.say("Grafana is down" if there else "there was none")


@grafana.command()
@console.output_option
@click.pass_obj
def check(folder: str | None, output: str) -> Any:
    """Ask the running Grafana everything that the dashboards ask, through /api/ds/query.

    \b
    Example:
      evc dashboard grafana up && evc dashboard grafana check
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        found = runbook.check(fleet, opened)
    if output == "json":
        console.show_json(found)
    else:
        rows = [(name, problem) for name, problem in found.items() if problem]
        console.show_table(("WHAT", "PROBLEM"), rows, f"all {len(found)} are answered")
    return int(Exit.FAILED if any(found.values()) else Exit.DONE)
