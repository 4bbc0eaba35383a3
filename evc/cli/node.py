"""`evc node`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from evc.cli import (
    completion,
    console,
    node_change,
    node_enroll,
    node_exec,
    node_import,
    node_keys,
    node_list,
    outcomes,
    progress,
    sudo,
)
from evc.doors.fleet import read_private
from evc.pure import names
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.pure.outcomes import Outcome
from evc.runbooks import audit, register
from evc.runbooks import nodes as inventory
from evc.runbooks.register import Options


@click.group()
def command() -> None:
    """Add, import, enroll, list, change, replace, revoke and remove machines.

    \b
    Example:
      evc node add cam01 192.0.2.10 --user pi --group shop
      evc node import shops.csv
      evc node list
    """


for one in (
    node_list.list_command,
    node_list.show_command,
    node_import.command,
    node_change.set_command,
    node_change.place_command,
    node_keys.trust_command,
    node_keys.replace_command,
    node_exec.command,
    node_enroll.enroll_command,
    node_enroll.accept_command,
    node_enroll.revoke_command,
):
    command.add_command(one)


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
@click.option("--title", default="", help="What people call it; any script.")
@click.option("--jump", metavar="[USER@]HOST[:PORT]", help="The host that leads to it.")
@click.option("--local", is_flag=True, help="This machine itself, as a builder; no ADDRESS.")
@click.option("--adopt", is_flag=True, help="Take it over from another fleet.")
@click.option("--install-docker", is_flag=True, help="If no engine is there, by apt-get.")
@console.output_option
@click.pass_obj
def add(
    folder: str | None,
    /,
    adopt: bool,
    install_docker: bool,
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
    fleet, opening = console.opened(folder)
    node = _checked(given)
    with (
        opening as opened,
        sudo.private_files(fleet, [node.name], sudo_file, ask_sudo) as passwords,
        progress.shown() as shown,
    ):
        keep = passwords.get(node.name) == Path(sudo_file or "").absolute()
        node = replace(node, sudo_file=str(passwords[node.name]) if keep else None)
        options = Options(adopt, install_docker)
        outcome = register.add(fleet, opened, node, passwords, options, shown)
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
            labels=dict(names.label(text) for text in given["labels"]),
            title=names.safe_text(given["title"]),
            jump=names.jump(given["jump"]) if given["jump"] else "",
        )
    except ValueError as error:
        raise BadInput(str(error)) from None


@command.command()
@click.argument("name", required=False, shell_complete=completion.nodes)
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
    fleet, opening = console.opened(folder)
    with opening as opened, fleet.lock("nodes"):
        nodes = inventory.selected(opened, wanted)
        which = [node.name for node in nodes]
        with sudo.private_files(fleet, which, sudo_file, ask_sudo) as passwords:
            done = register.remove(fleet, opened, register.with_sudo(nodes, passwords), forget)
        outcome = Outcome(done)
        audit.record(opened, f"node remove {wanted}", done, outcome.word)
    return outcomes.show(outcome, output)
