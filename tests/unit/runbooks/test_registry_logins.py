"""One registry login per node: made once, listed where it may be used, ended alone."""

from __future__ import annotations

import threading
from pathlib import Path

import bcrypt
import pytest

from evc.doors.fleet import Fleet
from evc.pure.references import HostPort
from evc.runbooks.registry import files, logins, place
from evc.runbooks.registry.logins import Login

NODES = {"cam01": False, "b01": True}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    (tmp_path / "ServerConfig.yaml").write_text("{}\n")
    fleet = Fleet(tmp_path)
    files.prepare(fleet, HostPort("127.0.0.1", 5443))
    return fleet


def takes(fleet: Fleet, side: str, login: Login) -> bool:
    lines = (place.folder(fleet) / side / "htpasswd").read_text().splitlines()
    hashes = dict(line.split(":") for line in lines)
    password = login.password.reveal().encode()
    return login.user in hashes and bcrypt.checkpw(password, hashes[login.user].encode())


def test_every_node_pulls_by_its_own_login_and_builders_push(fleet: Fleet) -> None:
    found = logins.of_nodes(fleet, NODES)
    assert {name: one.user for name, one in found.items()} == {
        "cam01": "node-cam01", "b01": "node-b01"}  # fmt: skip
    assert found["cam01"].password != found["b01"].password
    sides = {name: [takes(fleet, side, one) for side in files.SIDES] for name, one in found.items()}
    assert sides == {"cam01": [False, True], "b01": [True, True]}
    assert logins.of_nodes(fleet, NODES) == found


def test_who_becomes_a_builder_keeps_the_password(fleet: Fleet) -> None:
    before = logins.of_nodes(fleet, {"cam01": False})["cam01"]
    assert logins.of_nodes(fleet, {"cam01": True})["cam01"] == before
    assert takes(fleet, "writer", before)


def test_an_ended_login_is_refused_and_the_others_go_on(fleet: Fleet) -> None:
    found = logins.of_nodes(fleet, NODES)
    logins.end(fleet, ["b01"])
    assert not any(takes(fleet, side, found["b01"]) for side in files.SIDES)
    assert takes(fleet, "reader", found["cam01"])
    assert logins.of_nodes(fleet, NODES)["b01"] != found["b01"], "it comes back with another one"


def test_an_older_nodes_shared_login_ends_too(fleet: Fleet) -> None:
    before = [logins.own(fleet, side) for side in files.SIDES]
    node = logins.of_nodes(fleet, NODES)["cam01"]
    logins.renew_own(fleet)
    assert not any(takes(fleet, side, one) for side in files.SIDES for one in before)
    assert all(takes(fleet, side, logins.own(fleet, side)) for side in files.SIDES)
    assert takes(fleet, "reader", node)


def test_nodes_added_at_one_time_are_all_listed(fleet: Fleet) -> None:
    names = [f"cam{number:02}" for number in range(20)]
    start = threading.Barrier(len(names))

    def add(name: str) -> None:
        start.wait()
        logins.of_nodes(fleet, {name: False})

    threads = [threading.Thread(target=add, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = logins.of_nodes(fleet, dict.fromkeys(names, False))
    assert all(takes(fleet, "reader", one) for one in found.values())


def test_passwords_are_private_and_in_no_list(fleet: Fleet) -> None:
    found = logins.of_nodes(fleet, NODES)
    lists = "".join((place.folder(fleet) / side / "htpasswd").read_text() for side in files.SIDES)
    assert not any(one.password.reveal() in lists for one in found.values())
    kept = place.folder(fleet) / "nodes"
    assert (kept.stat().st_mode & 0o777, (kept / "b01").stat().st_mode & 0o777) == (0o700, 0o600)
