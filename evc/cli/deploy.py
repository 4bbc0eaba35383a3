"""`evc deploy`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import completion, console, outcomes, progress
from evc.pure.errors import BadInput
from evc.runbooks import releases
from evc.runbooks import run as runs
from evc.runbooks.rollout import Planned


@click.command()
@click.argument("model", shell_complete=completion.releases)
@console.on_option
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done; change nothing.")
@console.output_option
@click.pass_obj
def command(
    folder: str | None, model: str, selector: str | None, only_plan: bool, output: str
) -> Any:
    """Put a built release of MODEL (or MODEL:VERSION) on nodes and wait until it serves.

    \b
    Example:
      evc deploy face-detect:1.0 --on lab
      evc deploy face-detect --on all --plan
    """
    if selector is None:
        raise BadInput("nobody said on which nodes", "--on SELECTOR")
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        name, _, version = model.partition(":")
        built = releases.newest(opened, name, version or None)
        if only_plan:
            return _show(runs.planned(fleet, opened, built, selector, shown), output)
        outcome = runs.deploy(fleet, opened, built, selector, shown)
    return outcomes.show(outcome, output)


def _show(planned: Planned, output: str) -> int:
    """What would be done on each node, or what is in the way."""
    rows = {
        name: {"actions": [str(one) for one in plan.actions], "reason": plan.blocked}
        for name, plan in planned.plans.items()
    }
    rows |= {name: {"actions": [], "reason": one.reason} for name, one in planned.outcomes.items()}
    if output == "json":
        console.show_json({"nodes": rows})
        return 0
    table = [
        (name, ", ".join(one["actions"]) or one["reason"] or "nothing")
        for name, one in sorted(rows.items())
    ]
    console.show_table(("NODE", "WOULD BE DONE"), table, "No nodes.")
    return 0
