"""`evc logger`."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from evc.cli import console, outcomes
from evc.cli.db import set_aside
from evc.doors.store import Damaged
from evc.pure.errors import BadInput, Exit
from evc.pure.names import printable
from evc.runbooks import logger
from evc.runbooks import nodes as inventory


@click.command()
@click.option("--once", is_flag=True, help="Fetch one sample of each node, and end.")
@click.option("--duration", type=click.FloatRange(0, min_open=True), help="End after SECONDS.")
@click.option("--raw", metavar="NODE", help="Fetch a metered node's single samples, and end.")
@click.option("--since", default="1h", show_default=True, help="How far back: 90s, 10m, 2h, 1d.")
@click.option("--install", is_flag=True, help="Bring this release's agent to nodes, and end.")
@console.on_option
@click.pass_obj
def command(
    folder: str | None,
    once: bool,
    duration: float | None,
    raw: str | None,
    since: str,
    install: bool,
    selector: str | None,
) -> Any:
    """Keep a gap-free record of every node, until told to stop.

    A node without EVC's agent gets it by itself. What a node measured while its link was down, or
    while no logger ran, is fetched later.

    \b
    Example:
      evc logger
      evc logger --once --on lab
      evc logger --raw cam01 --since 30m
    """
    if raw is not None:
        return _raw(folder, raw, _seconds(since))
    options = logger.Options(duration, once)
    try:
        return _log(folder, selector, options, install)
    except Damaged as error:
        set_aside(console.fleet(folder), error)
        return _log(folder, selector, options, install)


def _log(folder: str | None, selector: str | None, options: logger.Options, install: bool) -> int:
    fleet, opening = console.opened(folder)
    with opening as opened:
        chosen = [node for node in inventory.chosen(opened, selector) if node.registered]
        if not chosen and (options.once or selector is not None):
            raise BadInput("none of these nodes is registered", "evc node add NAME ADDRESS")
        if install:
            # Playbooks, and all they need, are not for a process that runs for ever.
            from evc.runbooks.logger.install import install as bring

            return outcomes.show(bring(fleet, opened, chosen), "table")
        names = None if selector is None else {node.name for node in chosen}
        heard = logger.run(fleet, opened, names, options, _say)
    return _once(heard) if options.once else int(Exit.DONE)


def _raw(folder: str | None, name: str, seconds: float) -> int:
    from evc.runbooks.logger.raw import fetch

    fleet, opening = console.opened(folder)
    with opening as opened:
        node = inventory.named(opened, name)
        if node.unusable:
            raise BadInput(f"{name}: {node.unusable}")
        found = fetch(fleet, opened, node, time.time() - seconds)
    console.say(
        f"{name}: {found.samples} samples in place of {found.minutes} minutes, {found.bytes} bytes"
    )
    if found.left:
        console.say(f"{name}: {found.left} minutes stay: the node does not have all their samples")
    return int(Exit.PARTIAL if found.left else Exit.DONE)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not match:
        raise BadInput(f"{text[:40]!r} is no span of time", "90s, 10m, 2h or 1d")
    return int(match[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}[match[2]]


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
