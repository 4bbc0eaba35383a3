"""`evc db`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from evc.cli import console
from evc.doors.fleet import Fleet
from evc.doors.store import Damaged
from evc.pure.errors import Exit
from evc.runbooks import database, rollups
from evc.runbooks.logger import LOCK


@click.group()
def command() -> None:
    """The fleet's database.

    \b
    Example:
      evc db check
    """


@command.command()
@click.pass_obj
def init(folder: str | None) -> None:
    """Make the database, or bring it to this release's schema. Every command does that by itself.

    One that is damaged is set aside, and a new one begun with the inventory that can be read of it.

    \b
    Example:
      evc db init
    """
    fleet, _ = console.opened(folder)
    try:
        _, opening = console.opened(folder)
        with opening as opened:
            opened.need_whole()
    except Damaged as error:
        set_aside(fleet, error)
    _, opening = console.opened(folder)
    with opening as opened:
        schema = (opened.row("PRAGMA user_version") or {})["user_version"]
    console.say(f"{fleet.database}: schema {schema}")


def set_aside(fleet: Fleet, error: Damaged) -> None:
    """Begin a new database, and say so; no logger may run."""
    with fleet.lock(LOCK):
        aside, nodes = database.begin_anew(fleet)
    console.say(f"error: {error.message}")
    console.say(f"Set aside as {aside}. A new one begins, with {nodes} nodes of the old.")
    console.say("What nodes still have in their rings comes again. A backup: `evc restore FILE`.")


@command.command()
@console.output_option
@click.pass_obj
def check(folder: str | None, output: str) -> Any:
    """Read all of the database; say whether it is whole, and what is in it.

    \b
    Example:
      evc db check -o json
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        found = database.check(fleet, opened)
    if output == "json":
        console.show_json(found)
    else:
        times = {key: console.local_time(found[key]) for key in ("oldest", "newest") if found[key]}
        rows = [(key, value) for key, value in {**found, **times}.items()]
        console.show_table(("", ""), rows, "")
    return int(Exit.DONE if found["integrity"] == "ok" else Exit.FAILED)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@console.output_option
@click.pass_obj
def import_command(folder: str | None, file: Path, output: str) -> Any:
    """Take in an original `edge_logs.db3`; FILE stays as it is. Twice is the same as once.

    Its nodes come by `evc node import hosts.ini`. What is older than `evc db prune` leaves goes on
    as rollups.

    \b
    Example:
      evc db import ~/evc_frame/db/edge_logs.db3
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        found = database.import_file(fleet, opened, file)
    if output == "json":
        console.show_json(found)
        return int(Exit.DONE)
    rows = [(name, *counts.values()) for name, counts in found["tables"].items()]
    columns = ("TABLE", "STORED", "THERE ALREADY", "REFUSED")
    console.show_table(columns, rows, "It has none of the original's tables.")
    if found["report"]:
        console.say(f"Refused rows, each with its reason: {found['report']}")
    return int(Exit.DONE)


@command.command()
@click.option(
    "--raw-days",
    type=click.FloatRange(0),
    default=rollups.KEEP_RAW_DAYS,
    show_default=True,
    help="For how long samples are kept.",
)
@click.option(
    "--minute-days",
    type=click.FloatRange(0),
    default=rollups.KEEP_MINUTES_DAYS,
    show_default=True,
    help="For how long rollups by minute, predictions and metrics are kept.",
)
@click.pass_obj
def prune(folder: str | None, raw_days: float, minute_days: float) -> None:
    """Delete what is old; a running logger does it every six hours, with the defaults.

    Rollups by hour are kept for ever.

    \b
    Example:
      evc db prune --raw-days 7
    """
    _, opening = console.opened(folder)
    with opening as opened:
        now = time.time()
        rollups.roll(opened)
        raw, minutes = now - raw_days * rollups.DAY, now - minute_days * rollups.DAY
        gone = rollups.prune(opened, raw, minutes)
    console.say(f"{gone} rows deleted")
