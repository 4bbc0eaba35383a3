"""`evc logger`."""

from __future__ import annotations

import time
from typing import Any

import click

from evc.cli import console, outcomes
from evc.pure.errors import BadInput, Exit
from evc.pure.names import printable
from evc.runbooks import logger
from evc.runbooks import nodes as inventory


@click.command()
@click.option("--once", is_flag=True, help="Fetch one sample of each node, and end.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="End after SECONDS.")
@click.option("--install", is_flag=True, help="Bring this release's agent to nodes, and end.")
@console.on_option
@click.pass_obj
def command(
    folder: str | None, once: bool, duration: float | None, install: bool, selector: str | None
) -> Any:
    """Keep a gap-free record of every node, until told to stop.

    A node without EVC's agent gets it by itself. What a node measured while its link was down, or
    while no logger ran, is fetched later.

    \b
    Example:
      evc logger
      evc logger --once --on lab
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        chosen = [node for node in inventory.chosen(opened, selector) if node.registered]
        if not chosen and (once or selector is not None):
            raise BadInput("none of these nodes is registered", "evc node add NAME ADDRESS")
        if install:
            # Playbooks, and all they need, are not for a process that runs for ever.
            from evc.runbooks.logger.install import install as bring

            return outcomes.show(bring(fleet, opened, chosen), "table")
        names = None if selector is None else {node.name for node in chosen}
        heard = logger.run(fleet, opened, names, logger.Options(duration, once), _say)
    return _once(heard) if once else int(Exit.DONE)


def _once(heard: dict[str, bool]) -> int:
    """How a single round ended."""
    for name in sorted(name for name in heard if not heard[name]):
        console.say(f"{name}: no sample")
    if all(heard.values()):
        return int(Exit.DONE)
    return int(Exit.PARTIAL if any(heard.values()) else Exit.FAILED)


def _say(event: str, node: str = "", level: str = "info", **words: object) -> None:
    """One line of what happens, as `key=value` words."""
    words = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "level": level, "event": event,
             "node": node, **words}  # fmt: skip
    console.say(" ".join(f"{key}={_word(value)}" for key, value in words.items() if value != ""))


def _word(value: object) -> str:
    text = printable(str(value))
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"' if not text or any(mark in text for mark in ' ="') else text
