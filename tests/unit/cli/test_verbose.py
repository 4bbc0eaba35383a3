"""`evc -v` and EVC_VERBOSE: what Ansible says itself, on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks import plays
from evc.runbooks.init import init

# In place of EVC's program on the node: what it says reaches a terminal through Ansible.
SAYS = "print('\\x1b[2J\\x9b2J wiped')"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A fleet whose one node is this machine."""
    made = init(tmp_path / "fleet")
    node = Node(0, "here", "", 0, builder=True, local=True)
    with store.opened(made.database, fleets.share() / "db") as opened:
        inventory.insert(opened, node)
        inventory.remember(opened, "here", {"architecture": "x86_64"}, registered=True)
    Path(plays.home(made, node)).mkdir()
    (Path(plays.home(made, node)) / "evc_node.pyz").write_text(SAYS)
    return made


@pytest.mark.parametrize(("option", "variable"), [(["-v"], ""), ([], "1"), ([], "")])
def test_it_is_shown_when_asked_for(fleet: Fleet, option: list[str], variable: str) -> None:
    command = [sys.executable, "-m", "evc", *option, "-C", str(fleet.root)]
    done = subprocess.run(
        [*command, "status", "-o", "json"], capture_output=True, text=True, check=False,
        env={**os.environ, "EVC_VERBOSE": variable},
    )  # fmt: skip
    assert json.loads(done.stdout)["nodes"][0]["name"] == "here"
    assert ("TASK [probe]" in done.stderr) == bool(option or variable), done.stderr
    assert ("wiped" in done.stderr) == bool(option or variable)
    assert "\x1b" not in done.stderr and "\x9b" not in done.stderr
