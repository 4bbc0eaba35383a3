"""`evc lab`."""

from __future__ import annotations

from dataclasses import asdict

import click

from evc.cli import console
from evc.runbooks import lab
from evc.runbooks.lab.nodes import MOST_BUILDERS, MOST_EDGES

EDGES = click.IntRange(0, MOST_EDGES)
BUILDERS = click.IntRange(0, MOST_BUILDERS)


@click.group()
def command() -> None:
    """Try EVC without hardware: real nodes in containers, reached over SSH like any machine.

    \b
    Example:
      evc lab up
      evc run my-model --on lab
      evc lab down
    """


@command.command()
@click.option("--nodes", default=2, type=EDGES, show_default=True, help="How many edge nodes.")
@click.option("--builders", default=1, type=BUILDERS, show_default=True, help="How many builders.")
@click.option("--camera", is_flag=True, help="Serve a photo as a stream, for examples/shop-camera.")
@click.option("--engine/--no-engine", default=True, hidden=True)
@click.pass_obj
def up(folder: str | None, nodes: int, builders: int, camera: bool, engine: bool) -> None:
    """Make the lab, or repair it.

    What stopped is started, what is missing is added, what runs is left alone. Logins differ on
    purpose: a sudo password, root, a sudo that asks nothing; edge01 and every fourth after it
    listen on port 2222. The edge nodes are the group `lab`, the builders the group `builders`.

    \b
    Example:
      evc lab up --nodes 5 --builders 1
      evc lab up --camera
    """
    changed = lab.up(console.fleet(folder), nodes, builders, engine, console.say, camera)
    if changed:
        console.say("Next: evc lab status, or evc run PROJECT --on lab")
    else:
        console.say("The lab is up already: nothing to do.")


@command.command()
@click.pass_obj
def down(folder: str | None) -> None:
    """Remove the lab, and nothing else.

    Its containers, their volumes, the network, the logins and the nodes' rows go.

    \b
    Example:
      evc lab down
    """
    removed = lab.down(console.fleet(folder), console.say)
    console.say("The lab is gone." if removed else "There is no lab: nothing to do.")


@command.command()
@console.output_option
@click.pass_obj
def status(folder: str | None, output: str) -> None:
    """Show the lab's nodes and engines as they are now.

    \b
    Example:
      evc lab status -o json
    """
    fleet = console.fleet(folder)
    nodes = lab.status(fleet)
    if output == "json":
        console.show_json({"gateway": lab.gateway(fleet), "nodes": [asdict(one) for one in nodes]})
        return
    columns = ("name", "address", "port", "login", "sudo", "state", "engine")
    rows = [[asdict(one)[column] for column in columns] for one in nodes]
    console.show_table(columns, rows, "There is no lab: evc lab up")
