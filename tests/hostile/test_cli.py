"""Command lines that must end with 2 before anything is contacted, and repeat no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest

from evc import cli
from evc.doors import store
from evc.doors.fleet import share
from evc.runbooks import assignments, nodes, registry, releases
from tests.hostile.controller import CONFIG, Controller, settled

MEGABYTE = "x" * 1_000_000
SELECTING = [
    "deploy eye", "predict eye -i photo.jpg", "status", "doctor", "node list", "node remove",
    "node remove --forget", "run project", "run https://127.0.0.1:PORT/eye", "model build project",
]  # fmt: skip


@pytest.mark.parametrize("selector", ["", " ", ",", "(", "not tpyo", "gpu and", "x" * 3000, "a\0b"])
@pytest.mark.parametrize("command", SELECTING)
def test_an_empty_or_wrong_selector_is_nobody(
    controller: Controller, command: str, selector: str
) -> None:
    controller.register("cam01")
    words = command.replace("PORT", controller.network.port).split()
    if "https" in command and selector == "not tpyo":
        selector = "not tpyo and"  # the project may bring groups, so only the form is known
    code, said = controller.evc(*words, "--on", selector)
    assert (code, settled(controller.network)) == (2, 0), said
    assert "\0" not in said and len(said) < 1000
    assert controller.nodes() == ["cam01"]


@pytest.mark.parametrize(
    "command",
    ["deploy eye", "predict eye -i photo.jpg", "node remove", "run project", "model build project"],
)
def test_nobody_is_meant_when_nobody_is_named(controller: Controller, command: str) -> None:
    controller.register("cam01")
    code, said = controller.evc(*command.split())
    assert (code, settled(controller.network)) == (2, 0), said


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../../x", "a/b", "-x", "a b", "a;id", "$(id)", "a\0b", "a\nb",
             "\x1b[2J", "all", "not", "{{ x }}", "카메라", MEGABYTE],
    ids=lambda name: repr(name)[:12],
)  # fmt: skip
@pytest.mark.parametrize(
    "command",
    ["node add -- NAME 127.0.0.1", "node add cam 127.0.0.1 --group=NAME", "node show -- NAME",
     "node remove -- NAME", "deploy --on=all -- NAME", "deploy eye --on=NAME", "model show -- NAME",
     "deploy --on=all -- eye:NAME", "predict -i photo.jpg --on=all -- NAME"],
)  # fmt: skip
def test_what_is_no_name_is_refused(controller: Controller, command: str, name: str) -> None:
    if name == "all" and command in ("deploy eye --on=NAME", "node show -- NAME"):
        name = "ALL"
    words = [word.replace("NAME", name) for word in command.split()]
    code, said = controller.evc(*words)
    assert (code, settled(controller.network)) == (2, 0), said[:300]
    assert controller.nodes() == []
    assert len(said) < 1000 and "\0" not in said and "\x1b" not in said


@pytest.mark.parametrize(
    "command",
    ["run project --on lab", "deploy eye --on lab", "sync", "node add cam02 127.0.0.1 --port 1",
     "node remove cam01"],
)  # fmt: skip
def test_a_hand_edited_inventory_stops_what_would_write_it(
    controller: Controller, command: str
) -> None:
    """Before anything is done: the command could not end as it should."""
    controller.register("cam01")
    _wish(controller, "cam01")
    controller.fleet.inventory_file.write_text("[lab]\ncam01 ansible_host=127.0.0.1 # mine\n")
    code, said = controller.evc(*command.split())
    assert (code, settled(controller.network)) == (2, 0), said
    assert "was changed by hand" in said and controller.nodes() == ["cam01"]


def _wish(controller: Controller, node: str) -> None:
    """The node shall run the release that there is."""
    with store.opened(controller.fleet.database, share() / "db") as opened:
        built, found = releases.newest(opened, "eye"), nodes.selected(opened, node)
        assignments.wish(opened, built, node, found)


@pytest.mark.parametrize(
    ("command", "noted"),
    [("registry up", "registry up"), ("registry import a:1", "registry import a:1"),
     ("registry down", "registry down"), ("run project --on lab", "run eye"),
     ("deploy eye --on lab", "run eye")],
)  # fmt: skip
def test_what_fails_on_its_way_is_in_the_history(
    controller: Controller, command: str, noted: str
) -> None:
    controller.register("cam01")
    code, said = controller.evc(*command.split())
    rows = json.loads(controller.evc("history", "-o", "json")[1])
    assert code == 1, said
    assert [(one["command"], one["outcome"]) for one in rows] == [(noted, "failed")]


def test_what_succeeds_on_no_node_is_too(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "down", lambda fleet, say: None)
    assert controller.evc("registry", "down")[0] == 0
    rows = json.loads(controller.evc("history", "-o", "json")[1])
    assert [(one["command"], one["outcome"]) for one in rows] == [("registry down", "done")]


@pytest.mark.parametrize("command", ["run project", "run project --on nobody", "model build ."])
def test_what_was_refused_is_not(controller: Controller, command: str) -> None:
    assert controller.evc(*command.split())[0] == 2
    assert json.loads(controller.evc("history", "-o", "json")[1]) == []


@pytest.mark.parametrize("group", ["builder", "user", "ungrouped", "cam"])
def test_a_group_has_a_name_of_its_own(controller: Controller, group: str) -> None:
    code, said = controller.evc("node", "add", "cam", "127.0.0.1", "--group", group)
    assert (code, controller.nodes(), settled(controller.network)) == (2, [], 0), said


@pytest.mark.parametrize("words", ["status", "node list", "run project"])
def test_a_fleet_folder_that_cannot_be_is_bad_input(controller: Controller, words: str) -> None:
    code, said = controller.evc(*words.split(), folder="x" * 5000)
    assert code == 2 and len(said) < 1000


@pytest.mark.parametrize("words", ["node add cam 127.0.0.1 --port PORT", "run project --on shop"])
def test_what_is_right_is_contacted(controller: Controller, words: str) -> None:
    """Otherwise the counts of zero above would say nothing. A project may bring its machines."""
    network = controller.network
    machine = f"{{name: cam, ip: 127.0.0.1, port: {network.port}}}"
    (controller.project / "myEVCconfig.yaml").write_text(f"{CONFIG}target: {{shop: [{machine}]}}\n")
    code, said = controller.evc(*words.replace("PORT", network.port).split())
    assert code not in (0, 2) and settled(network) > 0, said
    assert controller.nodes() == ["cam"]


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from commands(inner)


def test_no_option_and_no_argument_takes_a_secret() -> None:
    """A secret comes from a prompt, stdin, a 0600 file or the environment, never as an argument."""
    words = ("pass", "secret", "token", "credential", "sudo")
    taking = [
        f"{command.name}: {one.name}"
        for command in commands(cli.evc)
        for one in command.params
        if any(word in (one.name or "") for word in words)
        and not (isinstance(one, click.Option) and (one.is_flag or one.metavar == "FILE"))
    ]
    assert taking == []


@pytest.mark.parametrize(
    "words",
    [
        "node add cam 127.0.0.1 --password SENTINEL",
        "node add cam 127.0.0.1 --password=SENTINEL",
        "node add cam 127.0.0.1 --sudo-password SENTINEL",
        "node add cam 127.0.0.1 --ask-sudo=SENTINEL",
        "run https://user:SENTINEL@127.0.0.1:PORT/eye --on all",
        "run https://SENTINEL@127.0.0.1:PORT/eye --on all",
        "run https://127.0.0.1:PORT/eye?token=SENTINEL --on all",
    ],
)
def test_a_password_as_an_argument_is_refused_and_not_repeated(
    controller: Controller, words: str
) -> None:
    code, said = controller.evc(*words.replace("PORT", controller.network.port).split())
    assert (code, settled(controller.network)) == (2, 0), said
    assert "SENTINEL" not in said
    for file in controller.fleet.root.rglob("*"):
        assert not file.is_file() or b"SENTINEL" not in file.read_bytes()


def test_a_sudo_password_with_nobody_to_ask_is_refused(controller: Controller) -> None:
    done = controller.program("node", "add", "cam", "127.0.0.1", "--ask-sudo")
    assert done.returncode == 2
    assert "--sudo-file" in done.stderr and settled(controller.network) == 0
