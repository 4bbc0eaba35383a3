"""`hosts.ini`: every node in it, read by Ansible as it is meant, and a hand's edits seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evc.pure.inventory import Node, edited_by_hand, render

NODES = [
    Node(1, "b01", "192.0.2.1", builder=True, edge=False),
    Node(2, "both", "192.0.2.2", builder=True, groups=("shop",)),
    Node(3, "cam01", "edge.example.net", 39002, groups=("lab", "shop")),
    Node(4, "loose", "fe80::1", 33322),
    Node(5, "here", "", local=True, builder=True, edge=False),
]


@pytest.fixture
def read(tmp_path: Path) -> dict[str, Any]:
    """The rendered file as Ansible reads it."""
    (tmp_path / "hosts.ini").write_text(render(NODES))
    program = Path(sys.executable).with_name("ansible-inventory")
    command = [sys.executable, program, "-i", "hosts.ini", "--list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_ansible_finds_every_node_in_its_groups(read: dict[str, Any]) -> None:
    assert read["builder"]["hosts"] == ["b01", "both", "here"]
    assert read["lab"]["hosts"] == ["cam01"]
    assert read["shop"]["hosts"] == ["both", "cam01"]
    assert read["user"]["hosts"] == ["loose"]
    assert set(read["user"]["children"]) == {"lab", "shop"}
    assert set(read["_meta"]["hostvars"]) == {node.name for node in NODES}


def test_ansible_finds_where_each_node_is(read: dict[str, Any]) -> None:
    places = read["_meta"]["hostvars"]
    assert places["cam01"] == {"ansible_host": "edge.example.net", "ansible_port": 39002}
    assert places["loose"] == {"ansible_host": "fe80::1", "ansible_port": 33322}
    assert places["here"] == {"ansible_connection": "local"}


def test_an_empty_inventory_is_rendered_too() -> None:
    assert not edited_by_hand(render([]))
    assert "[builder]" in render([])


@pytest.mark.parametrize(
    ("change", "edited"),
    [
        (lambda text: text, False),
        (lambda text: "", False),
        (lambda text: " \n", False),
        (lambda text: text.replace("39002", "39003"), True),
        (lambda text: text + "new ansible_host=192.0.2.9\n", True),
        (lambda text: text.partition("\n")[2], True),
        (lambda text: text.replace("\n", "\r\n"), True),
        (lambda text: "[builder]\n", True),
    ],
)
def test_what_a_person_changed_is_noticed(change: Any, edited: bool) -> None:
    assert edited_by_hand(change(render(NODES))) is edited


def test_the_same_nodes_give_the_same_text_in_any_order_of_groups() -> None:
    again = [Node(3, "cam01", "edge.example.net", 39002, groups=("shop", "lab"))]
    assert render(again) == render([NODES[2]])


def test_roles_and_facts() -> None:
    assert [node.roles for node in NODES[:3]] == [["builder"], ["builder", "edge"], ["edge"]]
    node = Node(
        1, "a", "h", groups=("lab",), labels={"site": "x"}, facts={"architecture": "armv7l"}
    )
    assert (node.architecture, NODES[0].architecture) == ("armv7l", "")
    assert node.selectable.groups == {"lab"} and node.selectable.labels == {"site": "x"}
