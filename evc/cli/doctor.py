"""`evc doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from evc.cli import console, progress
from evc.pure.errors import BadInput, Exit
from evc.runbooks import doctor
from evc.runbooks import nodes as inventory
from evc.runbooks.findings import Finding
from evc.runbooks.progress import Progress


@click.command()
@click.option("--fix", is_flag=True, help="Install, start and repair what can be.")
@click.option("--emulate", is_flag=True, help="With --fix: install qemu for other platforms.")
@console.on_option
@console.output_option
@click.pass_obj
def command(folder: str | None, fix: bool, emulate: bool, selector: str | None, output: str) -> Any:
    """Check this machine, the fleet folder and the nodes; each finding has its remedy.

    \b
    Example:
      evc doctor --fix
      evc doctor --fix --emulate       # this machine then builds for arm64 too, slowly
    """
    if emulate and not fix:
        raise BadInput("--emulate installs qemu", "evc doctor --fix --emulate")
    try:
        fleet, opening = console.opened(folder)
    except BadInput as error:
        if selector is not None:
            raise
        finding = Finding("fleet", error.message, "warning", error.remedy)
        with progress.shown() as shown:
            found = [*_controller(fix, emulate, shown), finding]
    else:
        with opening as opened:
            chosen = inventory.chosen(opened, selector)
            with progress.shown() as shown:
                found = _controller(fix, emulate, shown)
                found += doctor.fleet_folder(fleet, opened, fix, shown)
                found += doctor.nodes(fleet, opened, chosen, fix, shown)
    _show(found, output)
    return int(Exit.FAILED if any(one.level == "problem" for one in found) else Exit.DONE)


def _controller(fix: bool, emulate: bool, shown: Progress) -> list[Finding]:
    if fix:
        doctor.fix_controller(shown)
    if emulate:
        doctor.emulate(shown)
    return doctor.controller()


def _show(found: list[Finding], output: str) -> None:
    if output == "json":
        console.show_json({"findings": [asdict(one) for one in found]})
        return
    rows = [(one.level, one.where, one.what, one.remedy) for one in found]
    console.show_table(("", "WHERE", "WHAT", "REMEDY"), rows, "Nothing to check.")
