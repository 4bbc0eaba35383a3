"""`evc run`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console, outcomes, progress
from evc.pure import selectors
from evc.pure.outcomes import Outcome
from evc.runbooks import projects
from evc.runbooks.run import run, unchanged


@click.command()
@click.argument("project", default=".")
@console.on_option
@click.option("--if-changed", is_flag=True, help="Only if the project is not what was rolled out.")
@click.option("--emulate", is_flag=True, help="Where no builder is native: by qemu, slowly.")
@console.output_option
@click.pass_obj
def command(
    folder: str | None,
    project: str,
    selector: str | None,
    if_changed: bool,
    emulate: bool,
    output: str,
) -> Any:
    """Register new machines, build PROJECT where it changed, roll it out, wait until it serves.

    PROJECT is a folder or a git URL (`URL#REF`) with `myEVCconfig.yaml`; default: here. With
    --if-changed no node is asked while the project is what was rolled out last: for cron, where
    `evc sync` looks after the nodes.

    \b
    Example:
      evc run examples/face-detect
      evc run https://git.example.net/shop/detector#v2 --on 'group=shop and gpu'
      evc run https://git.example.net/shop/detector#main --on shop --if-changed
    """
    fleet, opening = console.opened(folder)
    if selector is not None:
        selectors.check(selector)  # whom it means is known when the project's machines are
    with (
        opening as opened,
        progress.shown() as shown,
        projects.found(project, shown) as place,
    ):
        same = if_changed and unchanged(fleet, opened, place, selector)
        outcome = Outcome({}, same) if same else run(fleet, opened, place, selector, shown, emulate)
    return outcomes.show(outcome, output)
