"""A lab's logins and inventory rows, on a real fleet folder and database."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import asyncssh
import pytest

from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.runbooks.init import init
from evc.runbooks.lab import inventory as lab_inventory
from evc.runbooks.lab import logins as lab_logins
from evc.runbooks.lab import nodes as lab_nodes
from evc.runbooks.lab import spec as lab_spec
from evc.runbooks.lab.network import LabNetwork
from evc.runbooks.lab.spec import LabSpec

SUBNET = IPv4Network("172.30.7.0/24")
BUILDER, EDGE1, EDGE2 = lab_nodes.wanted(SUBNET, 2, 1)
FOREIGN = "INSERT INTO node (name, address, port, login_key, added_at) VALUES (?, ?, 22, ?, 0)"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def store(fleet: Fleet) -> Iterator[Store]:
    with stores.opened(fleet.database, fleets.share() / "db") as opened:
        yield opened


def test_the_key_is_made_once_and_ssh_programs_read_it(fleet: Fleet) -> None:
    line = lab_logins.public_key(fleet)
    assert lab_logins.public_key(fleet) == line
    file = lab_logins.key_file(fleet)
    assert file.stat().st_mode & 0o777 == 0o600
    assert asyncssh.read_private_key(str(file)).export_public_key().decode().split()[1] in line


def test_only_a_node_that_asks_for_a_password_has_one(fleet: Fleet) -> None:
    lab_logins.public_key(fleet)
    password = lab_logins.new_password(fleet, EDGE1)
    file = lab_logins.sudo_file(fleet, EDGE1)
    assert file and fleets.read_private(file) == password
    assert lab_logins.new_password(fleet, EDGE2) is None
    assert lab_logins.sudo_file(fleet, BUILDER) is None


def test_only_pins_of_remade_nodes_are_dropped(fleet: Fleet) -> None:
    lines = [
        "[172.30.7.31]:2222 ssh-ed25519 A\n",
        "172.30.7.32 ssh-ed25519 B\n",
        "172.30.7.31 ssh-ed25519 another machine before, on port 22\n",
        "192.0.2.1,cam01 ssh-ed25519 C\n",
    ]
    fleet.known_hosts.write_text("".join(lines))
    lab_logins.forget_host_keys(fleet, [EDGE1])
    assert fleet.known_hosts.read_text() == "".join([lines[1], lines[3]])


def test_what_was_learnt_of_a_node_outlives_a_second_up(store: Store, fleet: Fleet) -> None:
    for node in (BUILDER, EDGE1, EDGE2):
        lab_inventory.record(store, fleet, node)
    store.write("UPDATE node SET registered_at = 5, facts = '{\"a\":1}' WHERE name = 'edge01'")
    lab_inventory.record(store, fleet, EDGE1)
    row = store.row("SELECT * FROM node WHERE name = 'edge01'")
    assert row and (row["registered_at"], row["facts"]) == (5, '{"a":1}')
    assert (row["port"], row["login_user"], row["is_edge"]) == (2222, "pi", 1)
    groups = store.rows("SELECT group_name FROM membership ORDER BY node_id")
    assert [one["group_name"] for one in groups] == ["builders", "lab", "lab"]


def test_a_remade_node_is_not_registered(store: Store, fleet: Fleet) -> None:
    for node in (EDGE1, EDGE2):
        lab_inventory.record(store, fleet, node)
    store.write("UPDATE node SET registered_at = 5")
    lab_inventory.forget_registration(store, [EDGE2])
    rows = store.rows("SELECT name FROM node WHERE registered_at IS NULL")
    assert [row["name"] for row in rows] == ["edge02"]


@pytest.mark.parametrize(
    ("name", "address"), [("edge01", "192.0.2.9"), ("cam01", EDGE2.address), ("lab", "192.0.2.9")]
)
def test_a_persons_node_is_never_taken_over(
    store: Store, fleet: Fleet, name: str, address: str
) -> None:
    store.write(FOREIGN, (name, address, "/home/kim/.ssh/id_rsa"))
    with pytest.raises(BadInput, match=name):
        lab_inventory.refuse_foreign(store, fleet, [EDGE1, EDGE2])


def test_removing_the_lab_leaves_other_nodes(store: Store, fleet: Fleet) -> None:
    store.write(FOREIGN, ("cam01", "192.0.2.9", None))
    store.write(FOREIGN, ("edge02", "192.0.2.10", None))
    lab_inventory.record(store, fleet, EDGE1)
    lab_inventory.refuse_foreign(store, fleet, [EDGE1])
    lab_inventory.remove(store, fleet, [EDGE1, EDGE2])
    left = store.rows("SELECT name FROM node ORDER BY name")
    assert [row["name"] for row in left] == ["cam01", "edge02"]


def test_the_password_is_in_the_first_login_only() -> None:
    network = LabNetwork("id", "evc-lab-0", SUBNET, "172.30.7.1")
    spec = LabSpec("0", network, "image", "ssh-ed25519 A evc-lab\n", True, ())
    with tarfile.open(fileobj=io.BytesIO(lab_spec.login_archive(spec, EDGE1, "s3cret"))) as packed:
        modes = {one.name: one.mode for one in packed.getmembers()}
        password = packed.extractfile("etc/evc-lab/password")
        assert password and password.read() == b"pi:s3cret\n"
    assert modes["etc/evc-lab"] == 0o700 and modes["etc/evc-lab/password"] == 0o600
    assert spec.mark(EDGE1) != spec.mark(EDGE2)
