"""What doctor and registration find besides what a lab's nodes show."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evc.doors import fleet as fleets
from evc.doors import ssh, store
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure import clocks, observations, schema
from evc.pure.config import ProjectConfig
from evc.pure.images import Content
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.references import HostPort
from evc.runbooks import assignments, doctor, findings, register, releases
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init
from evc.runbooks.registry import place
from evc.runbooks.releases import Image

CAMERA = "model_name: eye\nversion: 1\nserve: {mode: camera, command: [x], port: 80}\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return init(tmp_path / "fleet")


@pytest.fixture
def opened(fleet: Fleet) -> Iterator[Store]:
    with store.opened(fleet.database, fleets.share() / "db") as found:
        yield found


def seen(offset: float = 0.0, engine: dict[str, Any] | None = None, **facts: Any) -> Observation:
    return Observation(
        program="x", clock=1.0, clock_offset=offset,
        facts=observations.Facts(architecture="x86_64", **facts),
        engine=observations.Engine(version="20", **(engine or {})),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("looked", "what", "remedy"),
    [
        (seen(-31.4), "its clock is -31 s off", "timedatectl set-ntp"),
        (seen(3600.0), "its clock is +3600 s off", "timedatectl set-ntp"),
        (seen(disk_free=10**9), "only 1.0 GB free", "data-root"),
        (seen(engine={"memory_limit": False}), "memory limits are not enforced", "cgroup_memory=1"),
        (seen(gpu="RTX A2000"), "cannot give its GPU (RTX A2000)", "nvidia-ctk"),
        (seen(gpu="Jetson", engine={"runtimes": ["runc"]}), "its GPU (Jetson)", "nvidia-container"),
    ],
)
def test_what_is_in_the_way_is_said_with_its_remedy(
    looked: Observation, what: str, remedy: str
) -> None:
    (found,) = register.findings(looked)
    assert what in found.partition(": ")[0] and remedy in found.partition(": ")[2]


def test_a_node_that_is_well_has_no_findings() -> None:
    nvidia = {"runtimes": ["nvidia", "runc"]}
    assert register.findings(seen(29.9, nvidia, gpu="RTX", disk_free=10**10)) == []


@pytest.mark.parametrize(
    ("clock", "off"), [(1000.0, 0.0), (1030.0, 0.0), (1061.0, 1.0), (999.5, -0.5)]
)
def test_a_clock_is_compared_with_its_own_tasks_times(clock: float, off: float) -> None:
    """A play of many nodes, or with dead ones, takes minutes: good clocks were 30 s off in it."""
    assert clocks.offset(clock, 1000.0, 1060.0) == off


def test_files_that_others_may_read_are_found_and_closed(fleet: Fleet) -> None:
    ssh.ensure_key(fleet.ssh_key, "test")
    (fleet.certs / "known_hosts").touch(0o644)
    (fleet.certs / "ca.crt").touch(0o644)
    place.keep(fleet, HostPort("192.0.2.1", 5443))
    assert [one.level for one in findings.secret_files(fleet, False)] == ["ok"]
    fleet.ssh_key.chmod(0o644)
    fleet.certs.chmod(0o750)
    (found,) = findings.secret_files(fleet, False)
    assert found.what == "other users may read certs, certs/id_ed25519" and found.remedy
    assert [one.level for one in findings.secret_files(fleet, True)] == ["ok"]
    assert [one.stat().st_mode & 0o777 for one in (fleet.certs, fleet.ssh_key)] == [0o700, 0o600]
    assert (fleet.certs / "ca.crt").stat().st_mode & 0o777 == 0o644


def test_a_persons_key_that_others_may_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    node = Node(1, "cam", "192.0.2.1", login_key=str(key), sudo_file=str(tmp_path / "gone"))
    assert findings.login_files([node]) == []
    key.write_text("x")
    (found,) = findings.login_files([node])
    assert (found.where, found.remedy) == ("cam", f"chmod 600 {key}")


def test_files_of_the_network_that_are_missing(fleet: Fleet) -> None:
    assert findings.network_files(fleet) == []
    fleet.config_file.write_text("network: {ca: company.crt}\n")
    (found,) = findings.network_files(fleet)
    assert found.level == "problem" and "company.crt (network: ca) cannot be read" in found.what
    (fleet.root / "company.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    assert [one.level for one in findings.network_files(fleet)] == ["ok"]


def test_which_part_of_the_way_to_a_node_is_missing(fleet: Fleet) -> None:
    ssh.ensure_key(fleet.ssh_key, "test")
    fleet.rendezvous_hosts.touch()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        far = Node(1, "far", "127.0.0.1", 40000, tunnel=place)
        (found,) = findings.tunnels(fleet, [far, Node(2, "near", "192.0.2.1")]).values()
    assert found.level == "problem" and place in found.what and found.remedy
    assert "rendezvous" in findings.unreached(far, "x", found).what
    well = findings.Finding("fleet", "answers")
    assert f"keeps no tunnel to {place}" in findings.unreached(far, "x", well).what
    assert findings.unreached(Node(2, "near", "192.0.2.1"), "x", None).what == "x"


def test_a_camera_that_a_node_lacks_for_its_model(fleet: Fleet, opened: Store) -> None:
    inventory.insert(opened, Node(0, "cam", "192.0.2.1"))
    inventory.remember(opened, "cam", {"architecture": "x86_64"}, registered=True)
    config = schema.read(CAMERA, "f", ProjectConfig)
    built = releases.record(opened, Content("eye", "1", "0" * 64, {}), config, "here", "")
    image = Image("amd64", "x86_64-model", "1", f"sha256:{'1' * 64}", 1, "h")
    releases.record_image(opened, built.id, image, "builder")
    assignments.wish(opened, built, "all", inventory.everyone(opened))

    (found,) = findings.wished(fleet, opened, inventory.everyone(opened))

    assert found.where == "cam" and found.level == "warning"
    assert "eye cannot run there: no camera is plugged in" in found.what
    assert "evc config set CAMERA" in found.remedy
    inventory.remember(opened, "cam", {"architecture": "x86_64", "devices": {"/dev/video0": 44}},
                       registered=True)  # fmt: skip
    assert findings.wished(fleet, opened, inventory.everyone(opened)) == []


@pytest.mark.parametrize(
    ("tls", "mark", "said"),
    [
        ("true", "another", "evc node add here --adopt takes it over"),
        ("false", "", "`evc node add` with its name again adds that"),
    ],
)
def test_what_blocks_a_node_has_its_own_remedy(
    fleet: Fleet, tls: str, mark: str, said: str
) -> None:
    fleet.config_file.write_text(
        f"path: {{registry: '192.0.2.9:5000'}}\nregistry: {{running: true, tls: {tls}}}\n"
    )
    answer = seen().model_copy(update={"mark": mark, "watching": True})
    found = doctor._node(fleet, Node(1, "here", "", local=True), answer, None)
    (blocked,) = [one for one in found if one.level == "problem"]
    assert said in blocked.remedy
