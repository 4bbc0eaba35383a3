"""`evc node`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from evc.cli import console, outcomes, progress, sudo
from evc.doors import store
from evc.doors.fleet import Fleet, read_private, share
from evc.pure import names
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.outcomes import Outcome
from evc.runbooks import audit, register
from evc.runbooks import nodes as inventory


def _open(folder: str | None) -> tuple[Fleet, Any]:
    fleet = console.fleet(folder)
    return fleet, store.opened(fleet.database, share() / "db")


@click.group()
def command() -> None:
    """Add, list, show and remove machines.

    \b
    Example:
      evc node add cam01 192.0.2.10 --user pi --group shop
      evc node list
    """


@command.command()
@click.argument("name")
@click.argument("address", required=False, default="")
@click.option("--port", default="22", help="SSH port.  [default: 22]")
@click.option("--user", help="Who logs in to register it (default: as `ssh` would).")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="That user's SSH key.")
@sudo.options
@click.option("--group", "groups", multiple=True, help="A group it joins (may be repeated).")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A free label.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(["edge", "builder"]),
    help="edge (default), builder, or both.",
)
@click.option("--local", is_flag=True, help="This machine itself, as a builder; no ADDRESS.")
@click.option("--adopt", is_flag=True, help="Take it over from another fleet.")
@console.output_option
@click.pass_obj
def add(
    folder: str | None,
    /,
    adopt: bool,
    sudo_file: str | None,
    ask_sudo: bool,
    output: str,
    **given: Any,
) -> Any:
    """Register the machine at ADDRESS as NAME. Again is the same as once.

    It needs SSH, sudo and Docker there. EVC makes a user of its own in the docker group, which
    equals root on that machine. A node that is known already needs no ADDRESS.

    \b
    Example:
      evc node add cam01 192.0.2.10 --user pi --sudo-file ~/pi.sudo --group shop
      evc node add here --local
    """
    fleet, opening = _open(folder)
    node = _checked(given)
    with (
        opening as opened,
        sudo.private_file(fleet, node.name, sudo_file, ask_sudo) as password,
        progress.shown() as shown,
    ):
        keep = password if sudo_file not in (None, "-") else None
        node = replace(node, sudo_file=str(keep) if keep else None)
        outcome = register.add(fleet, opened, node, password, adopt, shown)
    return outcomes.show(outcome, output)


def _checked(given: dict[str, Any]) -> Node:
    """The options as a node; raises BadInput for what is no name, address, port or label."""
    if given["local"] and (given["address"] or "edge" in given["roles"]):
        raise BadInput("--local is this machine as a builder", "leave ADDRESS and --role edge out")
    if given["key"]:
        read_private(given["key"])
    try:
        return Node(
            id=0,
            name=names.node_name(given["name"]),
            address=names.address(given["address"]) if given["address"] else "",
            port=0 if given["local"] else names.port(given["port"]),
            login_user=names.user(given["user"]) if given["user"] else None,
            login_key=str(given["key"].absolute()) if given["key"] else None,
            builder=given["local"] or "builder" in given["roles"],
            edge=not given["local"] and ("edge" in given["roles"] or not given["roles"]),
            local=given["local"],
            groups=tuple(names.group_name(group) for group in given["groups"]),
            labels=dict(_label(text) for text in given["labels"]),
        )
    except ValueError as error:
        raise BadInput(str(error)) from None


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} is not KEY=VALUE")
    return names.node_name(key), names.safe_text(value)


@command.command("list")
@console.on_option
@console.output_option
@click.pass_obj
def list_nodes(folder: str | None, selector: str | None, output: str) -> Any:
    """The inventory with facts.

    \b
    Example:
      evc node list --on 'arch=aarch64 and mem>=4G'
    """
    _, opening = _open(folder)
    with opening as opened:
        nodes = inventory.chosen(opened, selector)
    if output == "json":
        console.show_json([_document(node) for node in nodes])
        return 0
    rows = [
        (
            node.name,
            _place(node),
            "+".join(node.roles),
            ",".join(node.groups),
            node.architecture,
            str(node.facts.get("os", "")),
            "yes" if node.registered else "no",
        )
        for node in nodes
    ]
    columns = ("NODE", "ADDRESS", "ROLE", "GROUPS", "ARCH", "OS", "REGISTERED")
    console.show_table(columns, rows, "No nodes yet: evc node add NAME ADDRESS")
    return 0


@command.command()
@click.argument("name")
@console.output_option
@click.pass_obj
def show(folder: str | None, name: str, output: str) -> Any:
    """All that is known of one node.

    \b
    Example:
      evc node show cam01
    """
    _, opening = _open(folder)
    with opening as opened:
        node = inventory.selected(opened, name)[0]
    document = _document(node)
    if output == "json":
        console.show_json(document)
        return 0
    facts = document.pop("facts")
    rows = [(key, value) for key, value in {**document, **facts}.items() if value not in ("", [])]
    console.show_table(("WHAT", "VALUE"), rows, "")
    return 0


@command.command()
@click.argument("name", required=False)
@console.on_option
@click.option("--forget", is_flag=True, help="The machine is dead: only the inventory changes.")
@sudo.options
@console.output_option
@click.pass_obj
def remove(
    folder: str | None,
    name: str | None,
    selector: str | None,
    forget: bool,
    sudo_file: str | None,
    ask_sudo: bool,
    output: str,
) -> Any:
    """Take everything of EVC off nodes, and them out of the inventory.

    \b
    Example:
      evc node remove cam01
      evc node remove cam02 --forget
    """
    wanted = name if selector is None else selector
    if wanted is None or (name is not None and selector is not None):
        raise BadInput("which nodes?", "a NAME, or --on SELECTOR")
    fleet, opening = _open(folder)
    with (
        opening as opened,
        sudo.private_file(fleet, "them" if name is None else name, sudo_file, ask_sudo) as password,
        fleet.lock("nodes"),
    ):
        nodes = register.with_sudo(inventory.selected(opened, wanted), password)
        done = register.remove(fleet, opened, nodes, forget)
        outcome = Outcome(done)
        audit.record(opened, f"node remove {wanted}", done, outcome.word)
    return outcomes.show(outcome, output)


def _place(node: Node) -> str:
    return "(this machine)" if node.local else f"{node.address}:{node.port}"


def _document(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "address": node.address,
        "port": node.port,
        "roles": node.roles,
        "groups": list(node.groups),
        "labels": dict(node.labels),
        "registered": node.registered,
        "facts": dict(node.facts),
    }
