"""`evc node trust` and `evc node replace`: a node shows another host key than the pinned one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from evc.cli import completion, console, outcomes, progress, sudo
from evc.doors.fleet import read_private
from evc.pure import names
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome, Outcome
from evc.runbooks import audit, host_keys, replace_node
from evc.runbooks import nodes as inventory
from evc.runbooks.host_keys import Keys
from evc.runbooks.register import Options

_FINGERPRINT = click.option(
    "--fingerprint", metavar="SHA256:…", help="The key that it must show; nothing is asked then."
)


@click.command("trust")
@click.argument("name", shell_complete=completion.nodes)
@_FINGERPRINT
@console.output_option
@click.pass_obj
def trust_command(folder: str | None, name: str, fingerprint: str | None, output: str) -> Any:
    """Show a node's pinned host key and the one it shows now, and pin the latter.

    Compare it with what the machine itself says: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key`.
    A reflashed or new machine needs `evc node replace`.

    \b
    Example:
      evc node trust cam01
      evc node trust cam01 --fingerprint SHA256:Yb2…
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        node = inventory.remote(opened, name)
        keys = host_keys.look(fleet, node)
        _show(node, keys)
        if keys.same and fingerprint in (None, keys.current.fingerprint):
            return outcomes.show(Outcome({node.name: NodeOutcome("nothing")}), output)
        _confirm(node, keys, fingerprint, f"evc node trust {name}")
        host_keys.repin(fleet, keys.current)
        outcome = Outcome({node.name: NodeOutcome("done", ("trust",))})
        audit.record(opened, f"node trust {name}", outcome.nodes, outcome.word)
    return outcomes.show(outcome, output)


@click.command("replace")
@click.argument("name", shell_complete=completion.nodes)
@click.argument("address", required=False)
@click.option("--port", help="Its SSH port, if another than before.")
@click.option("--user", help="Who logs in to register it, if another than before.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="That user's SSH key.")
@sudo.options
@_FINGERPRINT
@click.option("--yes", is_flag=True, help="Do not ask: take the key that it shows now.")
@click.option("--adopt", is_flag=True, help="The machine comes from another fleet.")
@click.option("--install-docker", is_flag=True, help="If no engine is there, by apt-get.")
@console.output_option
@click.pass_obj
def replace_command(
    folder: str | None,
    /,
    name: str,
    fingerprint: str | None,
    yes: bool,
    sudo_file: str | None,
    ask_sudo: bool,
    adopt: bool,
    install_docker: bool,
    output: str,
    **given: Any,
) -> Any:
    """A new or reflashed machine takes NAME over, at ADDRESS if that changed too.

    Its host key is pinned instead of the old one, it is registered, and gets every model that
    NAME should run. Groups, labels, settings and history stay. What the old machine runs is not
    touched: switch it off.

    \b
    Example:
      evc node replace cam01 --sudo-file ~/pi.sudo
      evc node replace cam01 192.0.2.77 --user pi --fingerprint SHA256:Yb2…
    """
    fleet, opening = console.opened(folder)
    with opening as opened, progress.shown() as shown:
        inventory.refuse_edited(fleet)
        before = inventory.remote(opened, name)
        after = _after(before, given)
        if after.tunnel:
            raise BadInput(
                f"{name} is reached by its tunnel, which another machine does not have",
                f"evc node revoke {name}, then evc node enroll {name}: its groups and labels stay",
            )
        inventory.refuse_conflicts(opened, [after])
        with sudo.private_files(fleet, [name], sudo_file, ask_sudo) as passwords:
            keys = host_keys.look(fleet, after)
            keys = replace(keys, pinned=host_keys.pinned(fleet, before))
            _show(after, keys)
            if not yes:
                _confirm(after, keys, fingerprint, f"evc node replace {name}")
            options = Options(adopt, install_docker)
            outcome = replace_node.replace_node(
                fleet, opened, before, after, keys.current, passwords, options, shown
            )
    return outcomes.show(outcome, output)


def _after(before: Node, given: dict[str, Any]) -> Node:
    if given["key"]:
        read_private(given["key"])
    try:
        return replace(
            before,
            address=names.address(given["address"]) if given["address"] else before.address,
            tunnel="" if given["address"] else before.tunnel,
            port=names.port(given["port"]) if given["port"] else before.port,
            login_user=names.user(given["user"]) if given["user"] else before.login_user,
            login_key=str(given["key"].absolute()) if given["key"] else before.login_key,
        )
    except ValueError as error:
        raise BadInput(str(error)) from None


def _show(node: Node, keys: Keys) -> None:
    console.say(f"{node.name}: pinned host key {keys.pinned or 'none'}")
    console.say(f"{node.name}: it shows now    {keys.current.fingerprint}")


def _confirm(node: Node, keys: Keys, fingerprint: str | None, command: str) -> None:
    """Raise unless the key is the one that was named, or a person says so."""
    current = keys.current.fingerprint
    if fingerprint is not None:
        if fingerprint != current:
            raise EvcError(f"{node.name} shows {current}, not {fingerprint}", "is it that machine?")
    elif not sys.stdin.isatty():
        raise EvcError("nobody is there to ask", f"{command} --fingerprint {current}")
    else:
        click.confirm("Pin the key that it shows now?", abort=True, err=True)
