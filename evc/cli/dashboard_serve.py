"""`evc dashboard serve` and `evc dashboard stop`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from evc.cli import console
from evc.pure.errors import BadInput
from evc.runbooks import pages
from evc.runbooks.pages import PORT, Where


@click.command()
@click.option("--listen", "address", metavar="ADDRESS", default="127.0.0.1",
              help="Let other machines in, by TLS and with a password.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, help="0 for any that is free.")
@click.option("--password-file", metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A 0600 file; without it EVC makes certs/pages.password.")  # fmt: skip
@click.option("--detach", is_flag=True, help="Go on in the background; `evc dashboard stop`.")
@click.pass_obj
def serve(
    folder: str | None, address: str, port: int, password_file: Path | None, detach: bool
) -> None:
    """The dashboards in the browser, of this machine alone unless --listen says otherwise.

    \b
    Example:
      evc dashboard serve
      evc dashboard serve --listen 192.0.2.5 --detach
    """
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise BadInput(f"{address[:80]!r} is not an IP address") from None
    where = Where(address, port, str(password_file.absolute()) if password_file else "")
    if detach:
        console.say(f"The dashboards: {pages.detach(console.fleet(folder), where)}")
    else:
        pages.serve(console.fleet(folder), where, console.say)


@click.command()
@click.pass_obj
def stop(folder: str | None) -> None:
    """End what `evc dashboard serve` started.

    \b
    Example:
      evc dashboard stop
    """
    console.say("stopped" if pages.stop(console.fleet(folder)) else "nothing is served")
