"""Nodes behind a tunnel: how one is reached, how a revoked one comes back, what a script holds."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evc.doors import ssh, store
from evc.doors.fleet import Fleet, share
from evc.doors.store import Store
from evc.pure.errors import BadInput
from evc.pure.inventory import Node
from evc.runbooks import change_nodes, enroll, nodes, plays
from evc.runbooks.change_nodes import Change
from evc.runbooks.init import init
from evc.runbooks.revoke import revoke

PLACE = "vps.example:2222"
FAR = Node(0, "far01", "127.0.0.1", 20001, tunnel=PLACE, groups=("shop",), labels={"a": "b"})


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path)


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, share() / "db") as found:
        nodes.save(found, [FAR])
        yield found


def test_the_rendezvous_leads_to_the_node_by_evcs_own_key(fleet: Fleet) -> None:
    target = plays.target(fleet, FAR)
    assert (target.address, target.port, target.user) == ("127.0.0.1", 20001, "evc")
    assert target.jump == ssh.Target(
        PLACE, "vps.example", 2222, "evc-tunnel", fleet.ssh_key, fleet.rendezvous_hosts
    )
    words = plays._own(fleet, FAR)["ansible_ssh_common_args"]
    (way,) = [one for one in shlex.split(words) if one.startswith("ProxyCommand=")]
    command = shlex.split(way.removeprefix("ProxyCommand="))
    assert command[-3:] == ["-W", "[%h]:%p", "evc-tunnel@vps.example"]
    assert command[command.index("-i") + 1] == str(fleet.ssh_key)
    assert f"UserKnownHostsFile={fleet.rendezvous_hosts}" in command
    assert "StrictHostKeyChecking=yes" in command and "BatchMode=yes" in command


def test_a_node_that_gets_an_address_has_no_tunnel_any_more() -> None:
    assert change_nodes.changed(FAR, Change(title="x")).tunnel == PLACE
    assert change_nodes.changed(FAR, Change(address="192.0.2.1", port=22)).tunnel == ""


def test_a_name_comes_back_only_after_it_was_revoked(fleet: Fleet, opened: Store) -> None:
    new = Node(0, "far01", "", labels={"c": "d"})
    with pytest.raises(BadInput, match="there is a node far01 already"):
        enroll.wanted(fleet, opened, new)
    nodes.revoke(opened, "far01")
    (before,) = nodes.everyone(opened)
    assert before.revoked and not before.registered and "revoked" in before.unusable
    again = enroll.wanted(fleet, opened, new, "other.example:22")
    assert (again.id, again.groups, again.labels) == (
        before.id, ("shop",), {"a": "b", "c": "d"})  # fmt: skip
    assert (again.tunnel, again.port) == ("other.example:22", 0)


def test_registration_ends_the_revocation(opened: Store) -> None:
    nodes.revoke(opened, "far01")
    nodes.remember(opened, "far01", {}, registered=True)
    assert nodes.named(opened, "far01").unusable == ""


def test_what_is_not_evcs_to_end_is_listed(fleet: Fleet, opened: Store) -> None:
    nodes.save(opened, [Node(0, "cam01", "192.0.2.1", sudo_file="/s")])
    fleet.config_file.write_text("path:\n  registry: acme\n  dockerhub: true\n")
    outcome, held = revoke(fleet, opened, nodes.named(opened, "cam01"))
    assert outcome.nodes["cam01"].actions == ("registration",)
    assert [one.what for one in held] == [
        "the login of all nodes at docker.io", "the sudo password in /s"]  # fmt: skip
    assert nodes.named(opened, "cam01").revoked


def test_a_script_holds_what_it_needs_and_no_key_of_evcs(fleet: Fleet) -> None:
    fleet.rendezvous_hosts.write_text("[vps.example]:2222 ssh-ed25519 AAAA\n")
    private, _ = ssh.key_pair("enroll")
    text = enroll._script(fleet, replace(FAR, port=20002), "the-token", private, adopt=False)
    subprocess.run(["sh", "-n"], input=text.encode(), check=True)
    public = fleet.ssh_key.with_suffix(".pub").read_text().strip()
    for part in (public, private.strip(), "[vps.example]:2222 ssh-ed25519 AAAA", "far01",
                 "tunnel_port=20002", "token=the-token", "Restart=always", "@reboot"):  # fmt: skip
        assert part in text
    assert fleet.ssh_key.read_text().splitlines()[3] not in text
    assert "@watch_service@" not in text
