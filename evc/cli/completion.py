"""`evc completion`, and what the shell completes: the fleet's own nodes, groups and models."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from evc import cli

_NODES = "SELECT name FROM node"
_GROUPS = "SELECT group_name AS name FROM membership UNION SELECT name FROM saved_selector"
_MODELS = "SELECT model AS name FROM release"
_RELEASES = f"{_MODELS} UNION SELECT model || ':' || version FROM release"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes the shell complete commands, options, nodes, groups and models.

    \b
    Example:
      evc completion bash > ~/.local/share/bash-completion/completions/evc
      evc completion fish > ~/.config/fish/completions/evc.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli.evc, {}, "evc", "_EVC_COMPLETE").source())


def nodes(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    return _beginning(ctx, _NODES, typed)


def groups(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    return _beginning(ctx, _GROUPS, typed)


def models(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    return _beginning(ctx, _MODELS, typed)


def releases(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """MODEL and MODEL:VERSION."""
    return _beginning(ctx, _RELEASES, typed)


def selectors(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Nodes and groups, also behind the last comma of a list."""
    before, comma, last = typed.rpartition(",")
    found = _beginning(ctx, f"{_NODES} UNION {_GROUPS} UNION SELECT 'all'", last)
    return [f"{before}{comma}{name}" for name in found]


def _beginning(ctx: click.Context, sql: str, typed: str) -> list[str]:
    """The names that a query gives and that begin as typed; none where there is no fleet.

    The database is only read: a Tab neither migrates nor makes one.
    """
    from evc.doors import fleet, store  # kept out of the start of `evc --help`
    from evc.pure.errors import EvcError

    folder = ctx.find_root().params.get("folder")
    try:
        found = fleet.find(Path(folder) if folder else None)
        if not found.database.exists():
            return []
        with store.foreign(found.database) as opened:
            names = [str(row["name"]) for row in opened.rows(f"SELECT DISTINCT name FROM ({sql})")]
    except EvcError:
        return []
    return sorted(name for name in names if name.startswith(typed))
