"""`evc node exec`."""

from __future__ import annotations

from typing import Any

import click

from evc.cli import console
from evc.pure.errors import BadInput
from evc.pure.names import printable
from evc.pure.outcomes import Outcome
from evc.runbooks import audit
from evc.runbooks import nodes as inventory
from evc.runbooks.execute import execute

MAX_LINES = 10_000


@click.command("exec")
@console.on_option
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--timeout", type=click.FloatRange(1), default=600, help="Seconds at most.  [default: 600]"
)
@console.output_option
@click.pass_obj
def command(
    folder: str | None, selector: str | None, argv: tuple[str, ...], timeout: float, output: str
) -> Any:
    """Run a program on nodes, all at once, as the user `evc`; no shell is in between.

    Its output comes line by line, each with its node's name before it.

    \b
    Example:
      evc node exec --on lab -- df -h /
      evc node exec --on cam01 -- docker ps
      evc node exec --on all -- sh -c 'uptime; free -m'
    """
    if selector is None:
        raise BadInput("on which nodes?", "--on SELECTOR, before `--`")
    if any("\0" in word for word in argv):
        raise BadInput("an argument holds a NUL character")
    fleet, opening = console.opened(folder)
    lines: dict[str, list[str]] = {}
    with opening as opened:
        nodes = inventory.selected(opened, selector)
        width = max(len(node.name) for node in nodes)

        def on_line(name: str, line: str) -> None:
            if output != "json":
                click.echo(f"{name:{width}} | {printable(line.expandtabs())}")
            elif len(lines.setdefault(name, [])) < MAX_LINES:
                lines[name].append(line)

        outcome = Outcome(execute(fleet, nodes, argv, timeout, on_line))
        done = f"node exec --on {selector} -- {' '.join(argv)}"[:300]
        audit.record(opened, done, outcome.nodes, outcome.word)
    _show(outcome, lines, output)
    return int(outcome.exit)


def _show(outcome: Outcome, lines: dict[str, list[str]], output: str) -> None:
    if output == "json":
        document = outcome.as_json()
        for name, one in document["nodes"].items():
            one["output"] = lines.get(name, [])
        console.show_json(document)
        return
    for name, outcome_there in sorted(outcome.nodes.items()):
        if outcome_there.reason:
            console.say(f"{name}: {printable(outcome_there.reason)}")
