"""The inventory in the database: written as given, and groups that are saved selectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.pure.inventory import Node, Place
from evc.runbooks import change_nodes, groups, nodes
from evc.runbooks.change_nodes import Change
from evc.runbooks.init import init

FULL = Node(
    0, "cam01", "192.0.2.1", 2222, "pi", "/k", "/s", builder=True, groups=("a", "b"),
    labels={"x": "1"}, title="입구", jump="me@gate:22", metered=True,
    place=Place("시청", 35.0, None),
)  # fmt: skip


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path)


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, fleets.share() / "db") as found:
        nodes.save(found, [FULL, Node(0, "cam02", "192.0.2.2"), Node(0, "here", "", 0, local=True)])
        yield found


def test_a_node_is_read_as_it_was_written(opened: Store) -> None:
    found = nodes.named(opened, "cam01")
    assert found == replace(FULL, id=found.id)
    changed = replace(found, groups=(), labels={"y": "2"}, place=None, title="", metered=False)
    nodes.save(opened, [changed])
    assert nodes.named(opened, "cam01") == changed


def test_two_nodes_change_places(opened: Store) -> None:
    one, two = nodes.named(opened, "cam01"), nodes.named(opened, "cam02")
    nodes.save(
        opened,
        [
            replace(one, address=two.address, port=two.port),
            replace(two, address=one.address, port=one.port),
        ],
    )
    assert nodes.named(opened, "cam02").port == 2222


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node(0, "new", "192.0.2.1", 2222), "192.0.2.1:2222 is the node cam01 already"),
        (Node(0, "new", "", 0, local=True), "this machine is the node here already"),
        (Node(0, "a", "192.0.2.9"), "name of a group"),
        (Node(0, "new", "192.0.2.9", groups=("late",)), "late is a saved selector"),
        (Node(0, "late", "192.0.2.9"), "name of a group"),
    ],
)
def test_what_is_in_the_way_is_refused(fleet: Fleet, opened: Store, node: Node, said: str) -> None:
    groups.create(fleet, opened, "late", "x>0", saved=True)
    with pytest.raises(BadInput, match=said):
        nodes.save(opened, [node])
    assert len(nodes.everyone(opened)) == 3


def test_a_saved_selector_is_asked_anew(fleet: Fleet, opened: Store) -> None:
    assert groups.create(fleet, opened, "late", "x>=2", saved=True).nodes == ()
    with pytest.raises(BadInput, match="selects no node"):
        nodes.selected(opened, "late")
    cam02 = [nodes.named(opened, "cam02")]
    change_nodes.change(fleet, opened, cam02, Change(labels={"x": "3"}), "t")
    assert [node.name for node in nodes.selected(opened, "late")] == ["cam02"]
    assert [node.name for node in nodes.selected(opened, "not late and not a")] == ["here"]
    assert "late" not in fleet.inventory_file.read_text()


def test_a_saved_selector_of_what_is_gone_breaks_nothing(fleet: Fleet, opened: Store) -> None:
    groups.create(fleet, opened, "one", "cam02", saved=True)
    nodes.forget(opened, ["cam02"])
    assert [node.name for node in nodes.selected(opened, "all")] == ["cam01", "here"]
    with pytest.raises(BadInput, match="selects no node"):
        nodes.selected(opened, "one")
    assert {group.name: group.nodes for group in groups.everything(opened)}["one"] == ()


@pytest.mark.parametrize(
    ("name", "selector", "said"),
    [
        ("cam01", "a", "is the name of a node"),
        ("a", "cam01", "is the name of a node or a fixed group"),
        ("late", "tpyo", "no node or group"),
        ("late", "", "empty selector"),
        ("late", "first", "no node or group is called 'first'"),
    ],
)
def test_a_saved_selector_must_mean_something(
    fleet: Fleet, opened: Store, name: str, selector: str, said: str
) -> None:
    groups.create(fleet, opened, "first", "a", saved=True)
    with pytest.raises(BadInput, match=said):
        groups.create(fleet, opened, name, selector, saved=True)


def test_nothing_is_written_over_a_hand_edited_file(fleet: Fleet, opened: Store) -> None:
    fleet.inventory_file.write_text("[shop]\nmine ansible_host=192.0.2.7\n")
    with pytest.raises(BadInput, match=r"evc node import hosts\.ini"):
        change_nodes.change(fleet, opened, nodes.everyone(opened), Change(metered=True), "t")
    assert not nodes.named(opened, "cam02").metered
