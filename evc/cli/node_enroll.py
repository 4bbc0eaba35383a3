"""`evc node enroll`, `accept` and `revoke`: nodes that nobody can dial, and nodes that are lost."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from evc.cli import completion, console, outcomes, progress, sudo
from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet, read_private
from evc.doors.store import Store
from evc.pure import names
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.runbooks import enroll, rendezvous
from evc.runbooks import nodes as inventory
from evc.runbooks.enroll import Waiting
from evc.runbooks.rendezvous import Login
from evc.runbooks.revoke import Held, revoke


@click.command("enroll")
@click.argument("name")
@click.option(
    "--via",
    metavar="[USER@]HOST[:PORT]",
    help="The rendezvous: a host that the node reaches, where you may sudo (default: the last).",
)
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="Your SSH key for it.")
@sudo.options
@click.option("--group", "groups", multiple=True, help="A group the node joins.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A free label.")
@click.option("--title", default="", help="What people call it; any script.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 24 * 365, min_open=True),
    default=24,
    help="How long the script works.  [default: 24]",
)
@click.option("--adopt", is_flag=True, help="Take the machine over from another fleet.")
@click.option("--to", "file", type=click.Path(path_type=Path), help="FILE (0600); default: stdout.")
@click.pass_obj
def enroll_command(
    folder: str | None,
    /,
    via: str | None,
    key: Path | None,
    sudo_file: str | None,
    ask_sudo: bool,
    hours: float,
    adopt: bool,
    file: Path | None,
    **given: Any,
) -> Any:
    """Make a first-boot script for a machine that nobody can dial (NAT, mobile network).

    Run as root on that machine, it keeps a tunnel to the rendezvous; `evc node accept` takes it in.
    The rendezvous is any host with sshd and Python, this machine too, under an address that the
    node reaches. It is prepared when --via names it: an account `evc-tunnel` and its limits.
    The script works once: keep it to yourself.

    \b
    Example:
      evc node enroll shop07 --via admin@vps.example.net --group shop --to shop07.sh
      evc node enroll shop08 --group shop --to shop08.sh
    """
    fleet, opening = console.opened(folder)
    node = _checked(given)
    login = _login(via, key)
    if not math.isfinite(hours):
        raise BadInput(f"{hours} is no number of hours")
    with opening as opened, progress.shown() as shown:
        enroll.wanted(fleet, opened, node)  # nothing is contacted for a name that is taken
        if login:
            with sudo.private_files(fleet, [login.host], sudo_file, ask_sudo) as passwords:
                place = rendezvous.prepare(fleet, opened, login, passwords.get(login.host), shown)
        else:
            place = rendezvous.chosen(opened)
        script = enroll.enroll(fleet, opened, node, place, hours * 3600, adopt)
    if file:
        fleets.write_private(file, script.reveal())
        console.say(f"{file}: run it as root on {node.name}, then `evc node accept {node.name}`")
    else:
        click.echo(script.reveal(), nl=False)
    return 0


def _checked(given: dict[str, Any]) -> Node:
    try:
        return Node(
            id=0,
            name=names.node_name(given["name"]),
            address="",
            groups=tuple(names.group_name(group) for group in given["groups"]),
            labels=dict(names.label(text) for text in given["labels"]),
            title=names.safe_text(given["title"]),
        )
    except ValueError as error:
        raise BadInput(str(error)) from None


def _login(via: str | None, key: Path | None) -> Login | None:
    if via is None:
        return None
    if key:
        read_private(key)
    try:
        account, at, place = names.jump(via).rpartition("@")
    except ValueError as error:
        raise BadInput(str(error)) from None
    host, _, port = place.partition(":")
    user = account if at else None
    return Login(host, int(port or 22), user, str(key.absolute()) if key else None)


@click.command("accept")
@click.argument("name", required=False, shell_complete=completion.nodes)
@click.option(
    "--fingerprint", metavar="SHA256:…", help="The key that it must show; nothing is asked then."
)
@click.option("--yes", is_flag=True, help="Do not ask: take the key that came with the token.")
@console.output_option
@click.pass_obj
def accept_command(
    folder: str | None, name: str | None, fingerprint: str | None, yes: bool, output: str
) -> Any:
    """Show who came with a first-boot script; with NAME, take that node in and register it.

    Compare the fingerprint with what the script printed on that machine.

    \b
    Example:
      evc node accept
      evc node accept shop07
      evc node accept shop07 --fingerprint SHA256:Yb2…
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        if name is None:
            return _list(enroll.waiting(fleet, opened), output)
        one = enroll.presented(fleet, opened, name)
        return outcomes.show(_accepted(fleet, opened, one, fingerprint, yes), output)


def _accepted(fleet: Fleet, opened: Store, one: Waiting, fingerprint: str | None, yes: bool) -> Any:
    assert one.key
    name, shown = one.node.name, one.key.fingerprint
    console.say(f"{name}: presented the host key {shown}")
    if fingerprint is not None:
        if fingerprint != shown:
            raise EvcError(f"{name} presented {shown}, not {fingerprint}", "is it that machine?")
    elif not yes and not sys.stdin.isatty():
        raise EvcError("nobody is there to ask", f"evc node accept {name} --fingerprint {shown}")
    elif not yes:
        click.confirm("Is this what the script printed there?", abort=True, err=True)
    with progress.shown() as showing:
        return enroll.accept(fleet, opened, one.node, one.key, showing)


def _list(found: dict[str, Waiting], output: str) -> int:
    documents = [
        {
            "name": name,
            "rendezvous": one.node.tunnel,
            "fingerprint": one.key.fingerprint if one.key else "",
            "expires": console.local_time(one.expires),
        }
        for name, one in found.items()
    ]
    if output == "json":
        console.show_json(documents)
        return 0
    rows = [tuple(document.values()) for document in documents]
    columns = ("NODE", "RENDEZVOUS", "PRESENTED HOST KEY", "SCRIPT WORKS UNTIL")
    console.show_table(columns, rows, "Nobody waits: evc node enroll NAME")
    return 0


@click.command("revoke")
@click.argument("name", shell_complete=completion.nodes)
@console.output_option
@click.pass_obj
def revoke_command(folder: str | None, name: str, output: str) -> Any:
    """End what a lost node may do: its registry login, its tunnel; or take back its script.

    The machine is not contacted. What else it knows is listed: change that. Tunnels of other nodes
    at the same rendezvous are cut for a moment. It comes back by `evc node add` or `enroll` alone.

    \b
    Example:
      evc node revoke shop07
    """
    fleet, opening = console.opened(folder)
    with opening as opened:
        held: list[Held] = []
        outcome = enroll.withdraw(fleet, opened, name)
        if outcome is None:
            outcome, held = revoke(fleet, opened, inventory.remote(opened, name))
    if output == "json":
        rotate = [{"what": one.what, "remedy": one.remedy} for one in held]
        console.show_json({**outcome.as_json(), "rotate": rotate})
        return int(outcome.exit)
    for one in held:
        console.say(f"it still has {one.what}: {one.remedy}")
    return outcomes.show(outcome, output)
