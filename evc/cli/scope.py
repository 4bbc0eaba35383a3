"""`--group`, `--node` and `--model`: where a setting holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from evc.cli import completion
from evc.pure import names
from evc.pure.errors import BadInput
from evc.pure.settings import Scope

Command = TypeVar("Command", bound=Callable[..., Any])


def options(command: Command) -> Command:
    """Where a setting holds, and whether nodes get it now."""
    for option in (
        click.option("--apply/--no-apply", "applying", default=True, help="Roll it out now."),
        click.option(
            "--model", default="", shell_complete=completion.models, help="For this model alone."
        ),
        click.option(
            "--node",
            default="",
            shell_complete=completion.nodes,
            help="For this node alone; wins over groups.",
        ),
        click.option(
            "--group",
            default="",
            shell_complete=completion.groups,
            help="For the nodes of this group.",
        ),
    ):
        command = option(command)
    return command


def scope(group: str, node: str, model: str) -> Scope:
    """The options as a value; raises BadInput."""
    if group and node:
        raise BadInput("--group and --node at once", "say one of them")
    try:
        owner = names.node_name(group or node) if group or node else ""
        model = names.model_name(model) if model else ""
    except ValueError as error:
        raise BadInput(str(error)) from None
    return Scope("group" if group else "node" if node else "fleet", owner, model)
