"""`evc dashboard export`."""

from __future__ import annotations

from pathlib import Path

import click

from evc.cli import console
from evc.runbooks import grafana


@click.command()
@click.option(
    "--to",
    "target",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default="grafana",
    show_default=True,
    help="Where the files go.",
)
@click.pass_obj
def export(folder: str | None, target: Path) -> None:
    """Write the dashboards for Grafana 10 to 12, with datasource and provider beside them.

    Grafana reads what is in /etc/grafana/provisioning when it starts; it needs the plugin
    frser-sqlite-datasource, and to be let at the database: `evc doctor` says what is in the way.

    \b
    Example:
      evc dashboard export --to grafana
      sudo cp -r grafana/provisioning /etc/grafana/
    """
    for path in grafana.export(console.fleet(folder), target):
        click.echo(path)
