"""What `evc history` shows, and what a shell completes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.pure.config import ProjectConfig
from evc.pure.images import Content
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome
from evc.runbooks import audit, nodes, releases
from evc.runbooks.init import init
from tests import forked


def evc(*words: str, **more: str) -> str:
    done = forked.run(words, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> str:
    fleet = init(tmp_path / "fleet")
    with store.opened(fleet.database, share() / "db") as opened:
        audit.record(opened, "node add cam01", {"cam01": NodeOutcome("done")}, "done")
        many = {f"cam0{number}": NodeOutcome("done") for number in range(6)}
        audit.record(opened, "run eye 1.0", many, "partial")
    return str(fleet.root)


def test_who_changed_what_is_shown_newest_last(folder: str) -> None:
    lines = evc("-C", folder, "history", EVC_USER="").splitlines()
    assert "node add cam01" in lines[1] and "cam01" in lines[1]
    assert "run eye 1.0" in lines[2] and "6 nodes" in lines[2] and lines[2].endswith("partial")


def test_one_nodes_history_and_the_last_rows_alone(folder: str) -> None:
    rows = json.loads(evc("-C", folder, "history", "--node", "cam05", "-o", "json"))
    assert [row["command"] for row in rows] == ["run eye 1.0"]
    rows = json.loads(evc("-C", folder, "history", "-n", "1", "-o", "json"))
    assert [row["command"] for row in rows] == ["run eye 1.0"]


def test_a_shell_completes_commands() -> None:
    said = evc(_EVC_COMPLETE="bash_complete", COMP_WORDS="evc no", COMP_CWORD="1")
    assert said == "plain,node\n"
    said = evc(_EVC_COMPLETE="bash_complete", COMP_WORDS="evc node re", COMP_CWORD="2")
    assert {"plain,remove", "plain,replace"} <= set(said.splitlines())


def test_a_shell_completes_nodes_groups_and_models(folder: str) -> None:
    fleet = Fleet(Path(folder))
    with store.opened(fleet.database, share() / "db") as opened:
        for name in ("cam01", "cam02"):
            nodes.insert(opened, Node(0, name, f"192.0.2.{name[-1]}", groups=("cash", "lab")))
        project = ProjectConfig(model_name="cat", version="1.10")
        releases.record(opened, Content("cat", "1.10", "0", {}), project, "here", "")

    def completed(*words: str) -> list[str]:
        typed = " ".join(["evc", "-C", folder, *words])
        number = str(len(words) + 2)
        said = evc(_EVC_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=number)
        return [line.removeprefix("plain,") for line in said.split()]

    assert completed("status", "--on", "ca") == ["cam01", "cam02", "cash"]
    assert completed("sync", "--on", "lab,cam02,a") == ["lab,cam02,all"]
    assert completed("node", "show", "cam") == ["cam01", "cam02"]
    assert completed("config", "set", "--group", "l") == ["lab"]
    assert completed("deploy", "c") == ["cat", "cat:1.10"]
    assert completed("predict", "x") == []


def test_a_tab_makes_nothing(tmp_path: Path) -> None:
    init(tmp_path / "fleet")
    typed = f"evc -C {tmp_path / 'fleet'} status --on c"
    assert evc(_EVC_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD="5").strip() == ""
    assert not (tmp_path / "fleet" / "db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_script_asks_evc(shell: str) -> None:
    assert "_EVC_COMPLETE" in evc("completion", shell)
