"""Names, addresses and logins of a lab's nodes."""

from __future__ import annotations

from ipaddress import IPv4Network

from evc.pure import names
from evc.runbooks.lab import nodes as lab_nodes
from evc.runbooks.lab.nodes import MOST_BUILDERS, MOST_EDGES

SUBNET = IPv4Network("172.30.7.0/24")


def test_a_small_lab_has_every_kind_of_login() -> None:
    logins = [(one.name, one.login, one.sudo) for one in lab_nodes.wanted(SUBNET, 3, 1)]
    assert logins == [
        ("builder01", "ubuntu@172.30.7.11:22", "free"),
        ("edge01", "pi@172.30.7.31:2222", "password"),
        ("edge02", "root@172.30.7.32:22", "root"),
        ("edge03", "pi@172.30.7.33:22", "free"),
    ]


def test_a_larger_lab_has_each_login_on_each_port() -> None:
    found = {(one.sudo, one.port) for one in lab_nodes.wanted(SUBNET, 12, 0)}
    assert found == {(sudo, port) for sudo in ("password", "root", "free") for port in (22, 2222)}


def test_the_largest_lab_has_a_fitting_address_and_name_for_each() -> None:
    nodes = lab_nodes.wanted(SUBNET, MOST_EDGES, MOST_BUILDERS)
    addresses = {one.address for one in nodes}
    assert len(addresses) == len({one.name for one in nodes}) == MOST_EDGES + MOST_BUILDERS
    assert not addresses & {"172.30.7.0", "172.30.7.1", "172.30.7.255"}
    assert all(names.node_name(one.name) and names.address(one.address) for one in nodes)


def test_a_node_is_found_again_by_its_name() -> None:
    nodes = lab_nodes.wanted(SUBNET, 120, 2)
    assert [lab_nodes.named(one.name, SUBNET) for one in nodes] == nodes
    assert lab_nodes.named("camera", SUBNET) is None
    assert lab_nodes.named("edge01x", SUBNET) is None
