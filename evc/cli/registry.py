"""`evc registry`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from evc.cli import console
from evc.doors.fleet import Fleet, read_private
from evc.pure.errors import BadInput, EvcError
from evc.pure.platforms import MACHINES
from evc.pure.secret import Secret
from evc.runbooks import audit, base_images, network, registry
from evc.runbooks.registry import bases, images


@click.group()
def command() -> None:
    """The fleet's private image registry: pushed to from here, pulled from by the nodes.

    \b
    Example:
      evc registry up
    """


@command.command()
@click.pass_obj
def up(folder: str | None) -> None:
    """Start the registry, or what is missing of it, and try it with a real image.

    \b
    Example:
      evc registry up
    """
    with _noted(folder, "up") as fleet:
        started = registry.up(fleet, console.say)
    console.say(f"The registry is up: push to {started.writer}, nodes pull from {started.reader}")


@command.command()
@click.option("--purge", is_flag=True, help="Also remove all its images and logins.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def down(folder: str | None, purge: bool, yes: bool) -> None:
    """Stop the registry; its images stay. Nodes serve on, but cannot pull.

    \b
    Example:
      evc registry down
      evc registry down --purge --yes
    """
    if purge and not yes:
        root = console.fleet(folder).root
        _confirm(f"Remove all images of {root}, and the registry's logins?")
    with _noted(folder, "down --purge" if purge else "down") as fleet:
        end = registry.purge if purge else registry.down
        end(fleet, console.say)


@command.command()
@console.output_option
@click.pass_obj
def status(folder: str | None, output: str) -> None:
    """Whether the registry answers, how long its certificate lasts, how much it holds.

    \b
    Example:
      evc registry status -o json
    """
    found = registry.status(console.fleet(folder))
    if output == "json":
        console.show_json(dataclasses.asdict(found))
        return
    sides = (("writer", found.writer), ("reader", found.reader))
    rows = [
        *(
            (name, side.address, "up" if side.up else f"down: {side.reason}")
            for name, side in sides
        ),
        ("certificate", _days(found.certificate_days_left), ""),
        ("storage", _size(found.storage_bytes), f"{len(found.repositories)} repositories"),
    ]
    console.show_table(("PART", "VALUE", "STATE"), rows, "")


@command.command()
@click.pass_obj
def renew(folder: str | None) -> None:
    """Renew the certificate of a registry that runs, if it lasts less than a month.

    The logger and `evc service install` do that every day.

    \b
    Example:
      evc registry renew
    """
    if not registry.renew(console.fleet(folder), console.say):
        console.say("Nothing to renew.")


@command.command("list")
@console.output_option
@click.pass_obj
def list_(folder: str | None, output: str) -> None:
    """Every image in the registry.

    \b
    Example:
      evc registry list
    """
    found = registry.list_images(console.fleet(folder))
    if output == "json":
        console.show_json([dataclasses.asdict(each) for each in found])
        return
    columns = ("REPOSITORY", "TAG", "DIGEST", "SIZE", "ARCHITECTURE")
    rows = [(e.repository, e.tag, e.digest, _size(e.size), e.architecture) for e in found]
    console.show_table(columns, rows, "The registry is empty.")


@command.command()
@click.argument("user")
@click.option("--password-file", metavar="FILE", help="0600 file; - for stdin. Default: asked.")
@click.option("--nodes", is_flag=True, help="A login of the nodes' own, that only pulls.")
@click.pass_obj
def login(folder: str | None, user: str, password_file: str | None, nodes: bool) -> None:
    """Keep a login for a registry that is not EVC's: a hub's account, or one that runs already.

    \b
    Example:
      evc registry login shop --password-file ~/hub.token
      evc registry login shop-readers --nodes --password-file -
    """
    with _noted(folder, f"login {user[:80]}") as fleet:
        registry.login(fleet, user, Secret(_password(user, password_file)), nodes)
    console.say(f"{user} is kept for {'the nodes' if nodes else 'builders, and nodes without own'}")


def _password(user: str, file: str | None) -> str:
    if file == "-":
        return sys.stdin.readline().rstrip("\n")
    if file:
        return read_private(Path(file))
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on", "--password-file FILE, or - for stdin")
    typed: str = click.prompt(f"password or token of {user}", hide_input=True, err=True)
    return typed


@command.command("import")
@click.argument("image")
@click.option("--as", "name", metavar="NAME:TAG", help="Its name in the registry.")
@click.option("--platform", default="", help="For nodes of another architecture: arm64, armv7.")
@click.option("--or-bootstrap", is_flag=True, help="Without a hub: make a Python on Debian.")
@click.pass_obj
def import_(
    folder: str | None, image: str, name: str | None, platform: str, or_bootstrap: bool
) -> None:
    """Bring a base image in: IMAGE of this machine's engine or a hub, or a saved FILE.tar.

    \b
    Example:
      evc registry import python:3.11-slim
      evc registry import python:3.11-slim --platform arm64
      evc registry import base.tar --as python:3.11-slim
    """
    if platform and platform not in MACHINES:
        raise BadInput(f"{platform[:80]!r} is no architecture", f"one of {', '.join(MACHINES)}")
    with _noted(folder, f"import {image[:200]}") as fleet:
        try:
            local = images.local_name(image, console.say, platform)
        except EvcError:
            if not or_bootstrap:
                raise
            settings, name = network.settings(fleet), name or image
            local = base_images.python(console.say, settings, base_images.emulated(platform))
        stored = bases.tag_for(name or local, platform) if platform else name or local
        digest = registry.import_image(fleet, local, stored, console.say)
    console.say(f"{stored} is in the registry as {digest}")


@contextlib.contextmanager
def _noted(folder: str | None, command: str) -> Iterator[Fleet]:
    """The fleet, for a command that is noted in its history."""
    fleet, opening = console.opened(folder)
    with opening as opened, audit.noted(opened, f"registry {command}"):
        yield fleet


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise BadInput("this removes images, and there is no terminal to ask on", "add --yes")
    click.confirm(question, abort=True, err=True)


def _days(left: float | None) -> str:
    return "not EVC's" if left is None else f"{left:.0f} days left"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
