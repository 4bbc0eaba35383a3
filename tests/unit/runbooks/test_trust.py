"""What nodes get for a registry that is not EVC's own."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.pure.secret import Secret
from evc.runbooks import trust
from evc.runbooks.registry import another

EDGE = Node(1, "edge", "192.0.2.1")
BUILDER = Node(2, "builder", "192.0.2.2", builder=True, edge=False)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def logins(fleet: Fleet, node: Node) -> dict[str, str]:
    found = json.loads(trust.orders(fleet, [node])[node.name]["login"])["auths"]
    return {host: base64.b64decode(one["auth"]).decode() for host, one in found.items()}


def test_a_hub_is_a_login_and_no_ca(fleet: Fleet) -> None:
    fleet.config_file.write_text("path: {registry: shop, dockerhub: true}\n")
    another.keep_login(fleet, "shop", Secret("push"), nodes=False)
    another.keep_login(fleet, "readers", Secret("pull"), nodes=True)
    for node, login in ((EDGE, "readers:pull"), (BUILDER, "shop:push")):
        assert logins(fleet, node) == dict.fromkeys(("docker.io", trust.HUB_CONFIG), login)
        assert trust.orders(fleet, [node])[node.name]["ca"] == {}
        assert trust.expected(fleet, node).certs == {}
    assert trust.variables(fleet)["evc_insecure"] == []


def test_of_a_node_that_is_gone_no_login_stays(fleet: Fleet) -> None:
    """In another registry than EVC's own it is that of all nodes, and nobody refuses it."""
    fleet.config_file.write_text("path: {registry: shop, dockerhub: true}\n")
    another.keep_login(fleet, "shop", Secret("push"), nodes=False)
    login = trust.orders(fleet, [EDGE])["edge"]["login"]
    file = fleet.certs / "registry" / "docker" / "edge"
    assert "auth" in login and file.read_text() == login
    trust.end_logins(fleet, ["edge", "never"])
    assert not file.exists()


def test_without_tls_and_login_docker_is_told_the_host(fleet: Fleet) -> None:
    keys = "path: {registry: '192.0.2.9:5000'}\nregistry: {running: true, tls: false, ca: x.crt}\n"
    fleet.config_file.write_text(keys)
    assert logins(fleet, EDGE) == {}
    assert trust.variables(fleet)["evc_insecure"] == ["192.0.2.9:5000"]
    found = trust.expected(fleet, BUILDER)
    assert (found.certs, found.insecure) == ({}, ("192.0.2.9:5000",))


def test_a_company_ca_is_for_the_one_host_once(fleet: Fleet) -> None:
    keys = "path: {registry: 'r.example.net:443/shop'}\nregistry: {running: true, ca: x.crt}\n"
    fleet.config_file.write_text(keys)
    (fleet.root / "x.crt").write_text("a CA")
    assert list(trust.expected(fleet, BUILDER).certs) == ["r.example.net:443"]
    assert trust.orders(fleet, [BUILDER])["builder"]["ca"] == {"r.example.net:443": "a CA"}
