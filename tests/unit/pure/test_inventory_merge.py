"""What a file changes in the inventory, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evc.pure import inventories
from evc.pure.inventory import Node, Place, render
from evc.pure.inventory_merge import Merged, merge

CAM01 = Node(
    1, "cam01", "192.0.2.1", 22, "pi", "/k", groups=("lab", "shop"), labels={"site": "busan"},
    title="입구", registered=True, place=Place("시청", 35.0, 129.0), facts={"architecture": "x"},
)  # fmt: skip
CAM02 = Node(2, "cam02", "192.0.2.2", groups=("shop",))
LOOSE = Node(3, "loose", "192.0.2.3")
BUILDER = Node(4, "b01", "192.0.2.4", builder=True, edge=False, groups=("builders",))
HERE = Node(5, "here", "", 0, local=True, builder=True, edge=False)
KNOWN = [CAM01, CAM02, LOOSE, BUILDER, HERE]


def merged(text: str, file: str = "x.csv", exact: bool = False, login: str = "") -> Merged:
    listing = inventories.read(text, file, ["here"])
    return merge(listing, KNOWN, ["saved"], exact, login or None)


def problems(text: str, file: str = "x.csv") -> str:
    return "\n".join(str(one) for one in merged(text, file).problems)


def test_the_rendered_file_changes_nothing() -> None:
    found = merged(render(KNOWN), "hosts.ini", exact=True)
    assert (found.problems, found.changed, found.missing) == ((), (), ())
    assert {node.name for node in found.nodes} == {node.name for node in KNOWN}


def test_a_hand_edited_file_is_taken_exactly() -> None:
    """A node moves to another group, another changes its port, one is new, one is gone."""
    text = """
[builder]
b01 ansible_host=192.0.2.4 ansible_port=22
here ansible_connection=local
[user:children]
shop
lab
[user]
cam02 ansible_host=192.0.2.2 ansible_port=22
[shop]
new ansible_host=192.0.2.9
[lab]
cam01 ansible_host=192.0.2.1 ansible_port=2222
"""
    found = merged(text, "hosts.ini", exact=True)
    changed = {node.name: node for node in found.changed}
    assert changed.keys() == {"cam01", "cam02", "new"} and found.missing == ("loose",)
    assert changed["cam01"] == replace(CAM01, groups=("lab",), port=2222)
    assert changed["cam02"] == replace(CAM02, groups=())
    assert changed["new"] == Node(0, "new", "192.0.2.9", groups=("shop",))


def test_what_a_file_does_not_say_stays() -> None:
    found = merged("name,groups,labels,latitude\ncam01,new,rack=2,36\n", login="admin")
    (after,) = found.changed
    assert after == replace(
        CAM01,
        groups=("lab", "new", "shop"),
        labels={"site": "busan", "rack": "2"},
        place=Place("시청", 36.0, 129.0),
    )
    assert merged("name,address\ncam01,\n").changed == ()
    assert merged("[shop]\nb01\n", "x.ini").nodes[0].roles == ["builder", "edge"]


def test_a_new_node_gets_the_login_user_and_its_name_as_address() -> None:
    (new,) = merged("cam.example.net\n", "x.ini", login="admin").nodes
    assert (new.address, new.login_user, new.port, new.roles) == (
        "cam.example.net", "admin", 22, ["edge"])  # fmt: skip
    (new,) = merged("new ansible_user=kim\n", "x.ini", login="admin").nodes
    assert new.login_user == "kim"


@pytest.mark.parametrize(
    ("text", "file", "said"),
    [
        ("name,address\nnew,192.0.2.1\n", "x.csv", "x.csv:2: new: 192.0.2.1:22 is the node cam01"),
        ("name,address\na,h\nb,H\n", "x.csv", "x.csv:3: b: H:22 is the node a already"),
        ("[g]\na[1:3] ansible_host=h\n", "x.ini", "x.ini:2: a3: h:22 is the node a1 already"),
        ("name,address\nshop,h\n", "x.csv", "x.csv:2: shop: shop would be the name of a group"),
        ("name,groups\ncam01,cam02\n", "x.csv", "cam02 would be the name of a group"),
        ("name,address,groups\nnew,h,new\n", "x.csv", "x.csv:2: new: new would be the name"),
        ("name,address\nsaved,h\n", "x.csv", "saved would be the name of a group"),
        ("name,address\nnew,\n", "x.csv", "x.csv:2: new: no address"),
        ("a_b\n", "x.ini", "x.ini:1: a_b: no address"),
    ],
)
def test_two_at_one_place_or_of_one_name(text: str, file: str, said: str) -> None:
    assert said in problems(text, file)


def test_two_nodes_may_change_places() -> None:
    found = merged("name,address\ncam01,192.0.2.2\ncam02,192.0.2.1\n")
    assert found.problems == () and len(found.changed) == 2


def test_problems_come_in_the_order_of_lines() -> None:
    found = merged("name,address,port\nnew,192.0.2.1,\na,h,0\nb,-x,\n")
    assert [one.line for one in found.problems] == [2, 3, 4]
