"""`evc -v` and EVC_VERBOSE: what Ansible and SSH say themselves, on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors import ssh, store
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init
from tests import forked

# What a node says reaches a terminal through Ansible.
PLAYBOOK = r"""
- hosts: all
  gather_facts: false
  tasks:
    - {name: look, ansible.builtin.command: {argv: [printf, '\033[2J\302\2332J wiped']}}
"""
# `evc play`: as any command that runs a playbook.
EVC = """
import sys
from pathlib import Path
from types import SimpleNamespace
import click
from evc import cli
from evc.doors import ansible

folder = Path(sys.argv.pop(1))
here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}

@click.command()
def play():
    connection = ansible.Connection(folder / "known_hosts", folder)
    done = ansible.play(folder / "play.yaml", {"here": here}, {}, connection)
    click.echo(done["here"].ok)

cli.COMMANDS["play"] = "Run a playbook."
sys.modules["evc.cli.play"] = SimpleNamespace(command=play)
cli.main()
"""


@pytest.mark.parametrize(("option", "variable"), [(["-v"], ""), ([], "1"), ([], "")])
def test_it_is_shown_when_asked_for(tmp_path: Path, option: list[str], variable: str) -> None:
    (tmp_path / "play.yaml").write_text(PLAYBOOK)
    done = subprocess.run(
        [sys.executable, "-c", EVC, str(tmp_path), *option, "play"],
        env={**os.environ, "EVC_VERBOSE": variable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
    assert ("TASK [look]" in done.stderr) == bool(option or variable), done.stderr
    assert ("wiped" in done.stderr) == bool(option or variable)
    assert "\x1b" not in done.stderr and "\x9b" not in done.stderr


def test_the_way_to_a_node_is_shown_too(tmp_path: Path) -> None:
    fleet = init(tmp_path)
    ssh.ensure_key(fleet.ssh_key, "test")
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        inventory.insert(opened, Node(0, "cam", "127.0.0.1", 1))
        inventory.remember(opened, "cam", {"architecture": "x86_64"}, registered=True)
    done = forked.run(["-v", "-C", str(tmp_path), "status"])
    assert "Opening SSH connection to 127.0.0.1, port 1" in done.stderr
