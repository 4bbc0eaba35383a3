"""`evc dashboard`."""

from __future__ import annotations

import click

from evc.cli import dashboard_export, dashboard_grafana, dashboard_serve


@click.group()
def command() -> None:
    """Pictures of the fleet: in the browser, in Grafana.

    \b
    Example:
      evc dashboard serve
      evc dashboard export --to grafana
    """


command.add_command(dashboard_serve.serve)
command.add_command(dashboard_serve.stop)
command.add_command(dashboard_export.export)
command.add_command(dashboard_grafana.grafana)
