"""`evc node import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evc.cli import console, outcomes, progress, sudo
from evc.pure import names
from evc.pure.errors import BadInput
from evc.runbooks import import_nodes
from evc.runbooks.register import Options


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--login-user", help="Who logs in where the file names nobody.")
@sudo.options
@click.option("--register/--no-register", "registering", default=True, help="Register new nodes.")
@click.option("--adopt", is_flag=True, help="Take nodes over from another fleet.")
@click.option("--install-docker", is_flag=True, help="Where no engine is, by apt-get.")
@console.output_option
@click.pass_obj
def command(
    folder: str | None,
    file: Path,
    login_user: str | None,
    sudo_file: str | None,
    ask_sudo: bool,
    registering: bool,
    adopt: bool,
    install_docker: bool,
    output: str,
) -> Any:
    """Take in the nodes that FILE lists, and register the new ones, all at once.

    FILE is an Ansible inventory (INI or YAML; groups, children, ranges like `cam[01:20]`) or CSV
    with a header of these columns: name, address, port, user, key, jump, groups, labels, title,
    latitude, longitude, place, sudo_file, roles. What FILE does not say of a known node stays.
    After an edit by hand, `evc node import hosts.ini` takes the fleet's own file in: groups are
    then exactly those of the file. A password file with a line for each node is not kept.

    \b
    Example:
      evc node import shops.csv --sudo-file ~/shops.sudo
      evc node import hosts.ini
    """
    fleet, opening = console.opened(folder)
    _check_user(login_user)
    with opening as opened, progress.shown() as shown:
        wanted = import_nodes.read(fleet, opened, file, login_user)
        with sudo.private_files(fleet, wanted.names, sudo_file, ask_sudo) as passwords:
            options = Options(adopt, install_docker)
            outcome = import_nodes.apply(
                fleet, opened, wanted, passwords, registering, options, shown
            )
    return outcomes.show(outcome, output)


def _check_user(text: str | None) -> None:
    try:
        names.user(text or "root")
    except ValueError as error:
        raise BadInput(str(error)) from None
