"""The command line: options become values, one call is made, the answer is echoed.

Commands load when they are used, so `evc --help` imports neither Ansible nor Docker nor asyncssh.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from evc import __version__

# Name → what `evc --help` says of it. The module is `evc.cli.NAME`, its command `command`.
COMMANDS = {
    "init": "Make a fleet folder.",
    "doctor": "Check this machine and the nodes; each finding has its remedy.",
    "lab": "Try EVC without hardware: real nodes in containers.",
    "registry": "The fleet's private image registry.",
    "node": "Add, import, enroll, list, change, replace, revoke and remove machines.",
    "group": "Named clusters of nodes, for `--on`.",
    "model": "Build models and list their releases.",
    "run": "The main job: register, build, deploy.",
    "deploy": "Put a built release on nodes.",
    "sync": "Bring nodes to what they should run.",
    "config": "Variables and files for containers, by fleet, group and node.",
    "secret": "Secrets for containers, by fleet, group and node.",
    "status": "What runs where, asked of the nodes now.",
    "dashboard": "Pictures of the fleet, in the browser and in Grafana.",
    "report": "The pictures in one file, to mail.",
    "predict": "Send an image to a served model.",
    "history": "Who changed what, and when.",
    "completion": "Completion of commands for your shell.",
    "service": "The logger, sync and renewal as services of this machine.",
    "db": "The database: check, import, prune.",
    "backup": "Everything that this controller is, as one encrypted file.",
    "restore": "Make a fleet folder of a backup.",
    "logger": "Keep a gap-free record of every node.",
}
ALIASES = {"host": "node"}


class LazyGroup(click.Group):
    """A group whose commands are imported only when one of them is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"evc.cli.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "folder", metavar="DIR", help="The fleet folder (default: found from here up).")
@click.option("-v", "--verbose", is_flag=True, envvar="EVC_VERBOSE",
              help="Show what Ansible and SSH say too, on stderr (or EVC_VERBOSE=1).")  # fmt: skip
@click.version_option(__version__, prog_name="evc")
@click.pass_context
def evc(ctx: click.Context, folder: str | None, verbose: bool) -> None:
    """Edge Vision Cluster: a folder with an AI model and a list of machines become a fleet.

    \b
    Example:
      evc init shop && cd shop
      evc node add cam01 192.0.2.10 --group shop
      evc run ~/my-model --on shop
    """
    ctx.obj = folder
    if verbose:
        importlib.import_module("evc.cli.verbose").begin()


def main() -> Any:
    """Entry point of the `evc` program: every known failure ends with its message and code."""
    try:
        code = evc.main(prog_name="evc", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        sys.exit(130)
    except Exception as error:
        sys.exit(_report(error))


def _report(error: Exception) -> int:
    from evc.pure.errors import EvcError  # kept out of the start of `evc --help`
    from evc.pure.names import printable

    if not isinstance(error, EvcError):
        raise error
    for line in f"evc: {error}".splitlines():
        click.echo(printable(line), err=True)
    return int(error.code)
