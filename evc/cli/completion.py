"""`evc completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from evc import cli


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes the shell complete commands and options.

    \b
    Example:
      evc completion bash > ~/.local/share/bash-completion/completions/evc
      evc completion fish > ~/.config/fish/completions/evc.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli.evc, {}, "evc", "_EVC_COMPLETE").source())
