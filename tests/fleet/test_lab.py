"""`evc lab` for real: nodes as containers, logged in to over SSH, killed, repaired, removed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import docker
import pytest

from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.runbooks.init import init
from evc.runbooks.lab import image as lab_image
from tests import forked

pytestmark = pytest.mark.fleet
Client = docker.DockerClient


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    made = init(tmp_path_factory.mktemp("lab") / "fleet")
    evc(made, "lab", "up", "--nodes", "2", "--builders", "1")
    yield made
    evc(made, "lab", "down")


@pytest.fixture(scope="module")
def client() -> Client:
    return docker.from_env()


@pytest.fixture
def bystander(client: Client) -> Iterator[Any]:
    """A container that looks like a lab's, but carries no label."""
    image = lab_image.image(print)
    made = client.containers.run(
        image, ["300"], entrypoint="sleep", name=f"evc-bystander-{time.time_ns()}", detach=True
    )
    yield made
    made.remove(force=True)


def evc(fleet: Fleet, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = forked.run(["-C", str(fleet.root), *words])
    assert done.returncode == code, done.stderr
    return done


def nodes(fleet: Fleet) -> dict[str, dict[str, Any]]:
    found = json.loads(evc(fleet, "lab", "status", "-o", "json").stdout)["nodes"]
    return {one["name"]: one for one in found}


def rows(fleet: Fleet) -> dict[str, dict[str, Any]]:
    with stores.opened(fleet.database, fleets.share() / "db") as store:
        return {row["name"]: row for row in store.rows("SELECT * FROM node")}


def ssh(row: dict[str, Any], command: str, stdin: str = "") -> tuple[int | None, str]:
    """Run `command` on a node with the login that its inventory row names."""

    async def run() -> tuple[int | None, str]:
        async with asyncssh.connect(
            row["address"],
            row["port"],
            username=row["login_user"],
            client_keys=[row["login_key"]],
            known_hosts=None,
            config=None,
            connect_timeout=10,
        ) as connection:
            done = await connection.run(command, input=stdin)
            return done.exit_status, str(done.stdout) + str(done.stderr)

    return asyncio.run(run())


def eventually(check: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.2)


def container(client: Client, fleet: Fleet, name: str) -> Any:
    return client.containers.get(f"evc-{fleet.id}-{name}")


def test_each_kind_of_login_works(fleet: Fleet) -> None:
    known = rows(fleet)
    assert known["edge01"]["port"] == 2222
    for name in ("builder01", "edge01", "edge02"):
        assert ssh(known[name], "hostname") == (0, f"{name}\n")
    assert ssh(known["edge02"], "id -u") == (0, "0\n")
    assert ssh(known["builder01"], "sudo -n id -u") == (0, "0\n")
    assert ssh(known["edge01"], "sudo -n id -u")[0] == 1
    password = fleets.read_private(Path(known["edge01"]["sudo_file"]))
    assert ssh(known["edge01"], "sudo -S -p '' id -u", password + "\n") == (0, "0\n")


def test_the_password_is_nowhere_to_be_seen(fleet: Fleet, client: Client) -> None:
    password = fleets.read_private(Path(rows(fleet)["edge01"]["sudo_file"]))
    node = container(client, fleet, "edge01")
    assert password not in json.dumps(node.attrs)
    search = ["grep", "-rlF", password, "/etc", "/home", "/root", "/run", "/var/log"]
    assert node.exec_run(search).exit_code == 1


def test_nodes_differ_as_machines_do(fleet: Fleet) -> None:
    known = rows(fleet).values()
    prints = {ssh(row, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub")[1] for row in known}
    assert len(prints) == 3


def test_the_engine_inside_builds_and_runs(fleet: Fleet) -> None:
    row = rows(fleet)["edge02"]
    build = "printf 'FROM scratch\\nCOPY a /\\n' > Dockerfile && touch a && DOCKER_BUILDKIT=1"
    code, said = ssh(row, f"mkdir -p /tmp/b && cd /tmp/b && {build} docker build -t x . && uname")
    assert code == 0, said
    tar = "tar -C / -ch bin/cat $(ldd /bin/cat | grep -o '/[^ ]*') | docker import - tiny"
    limits = "--read-only --user 1000 --cap-drop ALL --memory 64m --pids-limit 50"
    code, said = ssh(row, f"{tar} && docker run --rm {limits} tiny cat /proc/self/cgroup")
    assert code == 0, said
    assert "/containers/" in said


def test_a_killed_node_comes_back_with_ssh_and_engine(fleet: Fleet, client: Client) -> None:
    row, node = rows(fleet)["edge01"], container(client, fleet, "edge01")
    before = ssh(row, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    node.kill()
    assert nodes(fleet)["edge01"]["state"] == "exited"
    node.start()
    eventually(lambda: nodes(fleet)["edge01"]["engine"] not in ("starting", "-"), 30)
    assert ssh(row, "cat /etc/ssh/ssh_host_ed25519_key.pub") == before


def test_a_dead_engine_and_sshd_are_started_again(fleet: Fleet, client: Client) -> None:
    row, node = rows(fleet)["edge02"], container(client, fleet, "edge02")
    version = ["docker", "version"]
    assert node.exec_run(["sh", "-c", "kill -9 $(pidof dockerd containerd)"]).exit_code == 0
    eventually(lambda: bool(node.exec_run(version).exit_code == 0), 10)
    node.exec_run(["sh", "-c", "kill -9 $(cat /run/sshd.pid)"])
    eventually(lambda: ssh_answers(row), 10)


def ssh_answers(row: dict[str, Any]) -> bool:
    try:
        return ssh(row, "true")[0] == 0
    except OSError:
        return False


def test_up_again_changes_nothing_and_repairs_what_is_broken(fleet: Fleet, client: Client) -> None:
    with stores.opened(fleet.database, fleets.share() / "db") as store:
        store.write("UPDATE node SET registered_at = 5")
    before = {name: container(client, fleet, name).id for name in nodes(fleet)}
    assert "nothing to do" in evc(fleet, "lab", "up").stderr
    container(client, fleet, "builder01").kill()
    container(client, fleet, "edge01").pause()
    client.networks.get(f"evc-lab-{fleet.id}").disconnect(f"evc-{fleet.id}-edge02")
    evc(fleet, "lab", "up")
    assert {name: container(client, fleet, name).id for name in nodes(fleet)} == before
    assert {row["registered_at"] for row in rows(fleet).values()} == {5}
    container(client, fleet, "edge02").remove(force=True)
    evc(fleet, "lab", "up")
    assert {name for name, row in rows(fleet).items() if not row["registered_at"]} == {"edge02"}
    assert ssh(rows(fleet)["edge02"], "id -u") == (0, "0\n")


def test_down_removes_the_lab_and_nothing_else(
    fleet: Fleet, client: Client, bystander: Any
) -> None:
    evc(fleet, "lab", "down")
    mark: dict[str, Any] = {"label": f"evc.lab={fleet.id}"}
    assert not client.containers.list(all=True, filters=mark)
    assert not client.volumes.list(filters=mark)
    assert not client.networks.list(filters=mark)
    assert rows(fleet) == {} and not (fleet.certs / "lab").exists()
    bystander.reload()
    assert bystander.status == "running"
    assert "nothing to do" in evc(fleet, "lab", "down").stderr


def test_up_that_was_interrupted_is_finished_by_the_next(fleet: Fleet, client: Client) -> None:
    command = [sys.executable, "-m", "evc", "-C", str(fleet.root), "lab", "up", "--nodes", "3"]
    # Whoever started the tests in the background may have had this signal ignored.
    begun = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    mark = {"label": f"evc.lab={fleet.id}"}
    try:  # the engine lists one that is not there when it is looked at
        made = lambda: client.containers.list(all=True, filters=mark, ignore_removed=True)  # noqa: E731
        eventually(lambda: bool(made()), 30)
        begun.send_signal(2)
        assert begun.wait(20) == 130
    finally:
        begun.kill()
    evc(fleet, "lab", "up", "--nodes", "3", "--no-engine")
    assert [one["engine"] for one in nodes(fleet).values()] == ["none"] * 4
    assert all(ssh(row, "true")[0] == 0 for row in rows(fleet).values())
