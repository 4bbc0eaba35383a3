"""`evc registry` for real: two containers, Docker pushing and pulling, broken and mended."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from evc.doors import certs
from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.doors.registry import RegistryClient
from evc.pure.errors import EvcError
from evc.runbooks import registry
from evc.runbooks.init import init
from evc.runbooks.registry.trust import DOCKER_CERTS
from tests import forked

pytestmark = pytest.mark.fleet
SIDES = ("writer", "reader")


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return docker.from_env()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = _made(tmp_path_factory.mktemp("registry") / "a fleet: one")
    yield fleet
    evc(fleet, "down", "--purge", "--yes")


@pytest.fixture
def fleet(made: Fleet) -> Fleet:
    """A fleet whose registry is up, whatever the test before did to it."""
    registry.ensure(made, print)
    return made


@pytest.fixture
def tiny(client: docker.DockerClient) -> Iterator[str]:
    """A local image of one file."""
    name = f"evc-test-tiny:{time.time_ns()}"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = 100_000
        tar.addfile(info, io.BytesIO(random.randbytes(info.size)))
    client.api.import_image_from_data(archive.getvalue(), *name.split(":"))
    yield name
    client.images.remove(name)


def evc(fleet: Fleet, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = forked.run(["-C", str(fleet.root), "registry", *words])
    assert done.returncode == code, done.stderr
    return done


def read(fleet: Fleet, *words: str) -> Any:
    return json.loads(evc(fleet, *words, "-o", "json").stdout)


def containers(fleet: Fleet) -> dict[str, Any]:
    """This fleet's registry containers, by side."""
    label = {"label": [f"evc.fleet={fleet.id}"]}
    found = docker.from_env().containers.list(all=True, filters=label)
    return {each.labels["evc.registry"]: each for each in found}


def identity(fleet: Fleet) -> list[tuple[str, str]]:
    found = containers(fleet)
    return [(found[side].id, found[side].attrs["State"]["StartedAt"]) for side in SIDES]


def test_before_up_every_command_says_what_to_type(tmp_path: Path) -> None:
    fresh = _made(tmp_path / "fresh")
    for words in (["status"], ["list"]):
        assert "evc registry up" in evc(fresh, *words, code=1).stderr
    evc(fresh, "down")


def test_a_second_up_changes_nothing_and_is_fast(fleet: Fleet) -> None:
    before = identity(fleet)
    begun = time.monotonic()
    evc(fleet, "up")
    assert time.monotonic() - begun < 20
    assert identity(fleet) == before
    begun = time.monotonic()
    registry.ensure(fleet, pytest.fail)
    assert time.monotonic() - begun < 3


def test_two_fleets_that_choose_a_port_at_once(tmp_path: Path) -> None:
    fleets_ = [init(tmp_path / name) for name in "ab"]
    words = (sys.executable, "-m", "evc", "-C")
    ups = [subprocess.Popen([*words, str(each.root), "registry", "up"]) for each in fleets_]
    try:
        assert [up.wait(120) for up in ups] == [0, 0]
        first, second = (registry.load(each) for each in fleets_)
        assert {first.writer, first.reader}.isdisjoint({second.writer, second.reader})
    finally:
        for each in fleets_:
            evc(each, "down", "--purge", "--yes")


def test_both_sides_run_with_nothing_they_do_not_need(fleet: Fleet) -> None:
    for side, container in containers(fleet).items():
        host = container.attrs["HostConfig"]
        assert container.name == f"evc-{fleet.id}-registry-{side}"
        assert host["RestartPolicy"]["Name"] == "always"
        assert host["LogConfig"]["Config"]["max-size"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]
        assert "no-new-privileges" in host["SecurityOpt"]
        published = host["PortBindings"]["5000/tcp"]
        assert {each["HostIp"] for each in published} == {"127.0.0.1"}
        mounts = {each["Destination"]: each["RW"] for each in container.attrs["Mounts"]}
        assert mounts.pop("/var/lib/registry") == (side == "writer")
        assert not any(mounts.values())


def test_no_password_is_in_what_docker_and_commands_show(fleet: Fleet) -> None:
    found = registry.load(fleet)
    shown = evc(fleet, "up").stderr + evc(fleet, "status").stdout
    for container in containers(fleet).values():
        shown += json.dumps(container.attrs) + container.logs().decode()
    for login in (found.push, found.pull):
        assert login.password.reveal() not in shown


def test_a_local_image_is_imported_listed_recorded_and_pulled(
    fleet: Fleet, tiny: str, client: docker.DockerClient
) -> None:
    found, image = registry.load(fleet), client.images.get(tiny)
    assert "sha256:" in evc(fleet, "import", tiny, "--as", "tiny:1").stderr
    assert "pushing" not in evc(fleet, "import", tiny, "--as", "tiny:1").stderr, "it is there"
    assert client.images.get(tiny).tags == [tiny], "no tag of the registry is left here"
    (listed,) = [each for each in read(fleet, "list") if each["repository"] == "library/tiny"]
    assert (listed["tag"], listed["architecture"]) == (
        "1",
        _here(),
    )
    assert 90_000 < listed["size"] < 200_000
    with stores.opened(fleet.database, fleets.share() / "db") as database:
        assert database.row("SELECT tag FROM model_list WHERE name = 'library/tiny'") == {
            "tag": "1"
        }
    name = f"{found.reader}/library/tiny@{listed['digest']}"
    login = {"username": found.pull.user, "password": found.pull.password.reveal()}
    assert client.images.pull(name, auth_config=login).id == image.id
    client.images.remove(name)


def test_the_log_keeps_how_many_bytes_were_pulled(
    fleet: Fleet, tiny: str, client: docker.DockerClient
) -> None:
    digest = registry.import_image(fleet, tiny, "logged:1", print)
    found = registry.load(fleet)
    with _client(found.reader, found, found.pull) as reader:
        layer = reader.manifest("library/logged", digest).layers[0]
    client.images.remove(tiny)
    name = f"{found.reader}/library/logged@{digest}"
    login = {"username": found.pull.user, "password": found.pull.password.reveal()}
    client.images.pull(name, auth_config=login).tag(*tiny.split(":"))
    client.images.remove(name)
    log = containers(fleet)["reader"].logs().decode()
    assert re.search(
        rf'"GET /v2/library/logged/blobs/{layer.digest} HTTP/1.1" 200 {layer.size} ', log
    )


def test_an_archive_is_imported(
    fleet: Fleet, tiny: str, client: docker.DockerClient, tmp_path: Path
) -> None:
    archive = tmp_path / "saved.tar"
    with archive.open("wb") as file:
        file.writelines(client.images.get(tiny).save(named=True))
    evc(fleet, "import", str(archive), "--as", "acme/eye:2.0")
    assert ("acme/eye", "2.0") in [(e["repository"], e["tag"]) for e in read(fleet, "list")]


def test_what_is_no_image_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    junk = tmp_path / "junk.tar"
    junk.write_bytes(b"junk")
    for words in (["a;b"], ["a:" + "t" * 129], ["a\n"], [str(tmp_path / "none.tar")]):
        evc(fleet, "import", *words, code=2)
    evc(fleet, "import", str(junk), code=2)
    evc(fleet, "import", "evc-no-such-image:1", code=1)


def test_the_pull_login_cannot_push_and_the_reader_takes_no_push(fleet: Fleet) -> None:
    found = registry.load(fleet)
    for address, login in ((found.writer, found.pull), (found.reader, found.pull)):
        with _client(address, found, login) as asked:
            assert not asked.takes_pushes("library/tiny")
    with _client(found.reader, found, found.pull) as reader:
        reader.ping()
        with pytest.raises(EvcError, match="405"):
            reader.delete("library/tiny", "sha256:" + "0" * 64)
    with _client(found.writer, found, found.push) as writer:
        assert writer.takes_pushes("library/tiny")
    with _client(found.reader, found, found.push) as reader, pytest.raises(EvcError, match="login"):
        reader.ping()


def test_a_deleted_image_is_gone_for_both_sides(fleet: Fleet, tiny: str) -> None:
    digest = registry.import_image(fleet, tiny, "gone:1", print)
    found = registry.load(fleet)
    with _client(found.writer, found, found.push) as writer:
        assert writer.delete("library/gone", digest)
        assert not writer.delete("library/gone", digest)
        assert writer.tags("library/gone") == []
    with _client(found.reader, found, found.pull) as reader:
        assert reader.head("library/gone", digest) is None
    assert "library/gone" not in [each["repository"] for each in read(fleet, "list")]


def test_status_tells_up_from_down(fleet: Fleet) -> None:
    found = read(fleet, "status")
    assert found["writer"]["up"] and found["reader"]["up"]
    assert 390 < found["certificate_days_left"] < 397
    assert found["storage_bytes"] > 0
    containers(fleet)["reader"].stop()
    found = read(fleet, "status")
    assert (found["reader"]["up"], found["reader"]["container"]) == (False, "exited")
    assert "exited" not in evc(fleet, "up").stderr
    assert read(fleet, "status")["reader"]["up"]


def test_up_mends_what_somebody_broke(fleet: Fleet) -> None:
    kept, _ = identity(fleet)
    containers(fleet)["reader"].remove(force=True)
    (DOCKER_CERTS / registry.load(fleet).writer / "ca.crt").write_text("")
    evc(fleet, "up")
    assert identity(fleet)[0] == kept, "the side that ran goes on running"
    assert (DOCKER_CERTS / registry.load(fleet).writer / "ca.crt").read_text() == (
        fleet.ca.read_text()
    )


def test_an_old_certificate_is_renewed_by_restarting_only_the_registry(fleet: Fleet) -> None:
    folder = fleet.certs / "registry" / "tls"
    issuer = certs.Pair(fleet.ca.read_text(), (fleet.certs / "ca.key").read_text())
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=380)
    old = certs.server(issuer, {"127.0.0.1", "localhost"}, then)
    (folder / "server.crt").write_text(old.certificate)
    (folder / "server.key").write_text(old.key)
    before = identity(fleet)
    assert "its new certificate" in evc(fleet, "renew").stderr
    after = identity(fleet)
    assert [one for one, _ in after] == [one for one, _ in before], "the same containers"
    assert all(new != old for (_, new), (_, old) in zip(after, before, strict=True)), "restarted"
    assert read(fleet, "status")["certificate_days_left"] > 390
    assert "Nothing to renew" in evc(fleet, "renew").stderr and identity(fleet) == after


def test_a_registry_that_was_taken_down_is_not_renewed(fleet: Fleet) -> None:
    evc(fleet, "down")
    assert "Nothing to renew" in evc(fleet, "renew").stderr
    assert read(fleet, "status")["writer"]["container"] == "absent"


def test_while_another_command_holds_the_lock_it_is_named(fleet: Fleet) -> None:
    with fleet.lock("registry"):
        for words in (["up"], ["down"], ["down", "--purge", "--yes"]):
            assert "process" in evc(fleet, *words, code=4).stderr
        evc(fleet, "list")


def test_taken_ports_are_named_and_nothing_is_left(tmp_path: Path) -> None:
    other = _made(tmp_path / "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", _port(other)))
        taken.listen()
        done = evc(other, "up", code=1)
    assert "path: registry: HOST:PORT" in done.stderr
    assert containers(other) == {}
    evc(other, "down", "--purge", "--yes")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another account")
def test_runs_as_the_account_that_owns_the_storage(tmp_path: Path) -> None:
    other = _made(tmp_path / "owned")
    other.registry_data.mkdir(parents=True)
    os.chown(other.registry_data, 10001, 10001)
    evc(other, "up")
    found = containers(other)
    evc(other, "down", "--purge", "--yes")
    assert {each.attrs["Config"]["User"] for each in found.values()} == {"10001:10001"}


def test_down_leaves_the_images_and_purge_asks_and_leaves_nothing(
    fleet: Fleet, tiny: str, client: docker.DockerClient
) -> None:
    registry.import_image(fleet, tiny, "kept:1", print)
    evc(fleet, "down")
    assert containers(fleet) == {}
    evc(fleet, "up")
    assert "library/kept" in [each["repository"] for each in read(fleet, "list")]
    found = registry.load(fleet)
    assert "--yes" in evc(fleet, "down", "--purge", code=2).stderr
    assert len(containers(fleet)) == 2
    evc(fleet, "down", "--purge", "--yes")
    assert containers(fleet) == {}
    assert not fleet.registry_data.exists() and not (fleet.certs / "registry").exists()
    assert fleet.ca.exists(), "the nodes trust it"
    for address in (found.writer, found.reader):
        assert not (DOCKER_CERTS / address).exists()
        assert not [tag for image in client.images.list() for tag in image.tags if address in tag]


def test_the_original_shell_script_calls_up(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "registry_init.sh"
    called = tmp_path / "called"
    for place in (tmp_path / "on path", tmp_path / "checkout" / ".venv" / "bin"):
        place.mkdir(parents=True)
        (place / "evc").write_text(f"#!/bin/sh\nprintf '%s|' \"$0\" \"$@\" >'{called}'\n")
        (place / "evc").chmod(0o755)
    copy = tmp_path / "checkout" / "registry_init.sh"
    copy.write_bytes(script.read_bytes())
    path = {**os.environ, "PATH": f"{tmp_path / 'on path'}:/usr/bin:/bin"}
    for run, expected in ((script, tmp_path / "on path"), (copy, place)):
        subprocess.run(["sh", run, "--help"], check=True, env=path)
        if run == copy or not (script.parent / ".venv").exists():
            assert called.read_text() == f"{expected / 'evc'}|registry|up|--help|"


def _made(folder: Path) -> Fleet:
    fleet = init(folder)
    fleet.config_file.write_text(f"path:\n  registry: 127.0.0.1:{_free_pair()}\n")
    return fleet


def _port(fleet: Fleet) -> int:
    return int(str(fleet.config().path.registry).partition(":")[2])


def _free_pair() -> int:
    """A port that is free now together with the next one."""
    while True:
        port = random.randrange(20_000, 60_000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


def _here() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def _client(address: str, found: registry.Registry, login: registry.Login) -> RegistryClient:
    return RegistryClient(address, found.ca, login.user, login.password)
