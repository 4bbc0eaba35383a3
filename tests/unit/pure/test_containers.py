"""The container a project gets: hardened, and loosened only by name."""

from __future__ import annotations

from typing import Any

import pytest

from evc.pure import containers, schema
from evc.pure.config import ProjectConfig


def project(text: str = "") -> ProjectConfig:
    return schema.read(f"model_name: eye\nversion: 1\n{text}", "f", ProjectConfig)


def request(text: str = "") -> dict[str, Any]:
    return containers.config(project(text))


def test_the_default_is_hardened() -> None:
    found = request()
    assert found["User"] == "10001:10001"
    host = found["HostConfig"]
    assert host["Init"] and host["ReadonlyRootfs"]
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert (host["PidsLimit"], host["Memory"]) == (512, 1024**3)
    assert host["LogConfig"]["Type"] == "local" and host["LogConfig"]["Config"]["max-size"]
    assert host["RestartPolicy"] == {"Name": "no"}
    assert list(host["Tmpfs"]) == ["/tmp"]


def test_the_command_replaces_the_images_entrypoint() -> None:
    """The original's images end with `ENTRYPOINT ["bash"]`."""
    assert "Cmd" not in request()
    found = request("activation: flask")
    assert (found["Entrypoint"], found["Cmd"]) == ([], ["python3", "run.py"])


def test_root_gets_what_sudo_and_chown_need_and_nothing_else() -> None:
    found = request("serve: {root: true}")
    assert "User" not in found and found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["CapAdd"] == containers.ROOT_CAPABILITIES
    assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert found["HostConfig"]["ReadonlyRootfs"]


def test_the_nodes_own_port_may_be_another_one() -> None:
    given = project("serve: {port: 7860, publish: 7999, workdir: /home}")
    found = containers.config(given)
    assert found["WorkingDir"] == "/home" and list(found["ExposedPorts"]) == ["7860/tcp"]
    (published,) = found["HostConfig"]["PortBindings"]["7860/tcp"]
    assert published["HostPort"] == "7999"
    assert containers.health(given.serve)["port"] == 7999


def test_ports_are_published_on_a_named_address() -> None:
    assert request()["HostConfig"]["PortBindings"] == {}
    found = request("serve: {port: 8000, listen: 127.0.0.1}")
    bound = {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}]}
    assert found["HostConfig"]["PortBindings"] == bound
    assert list(found["ExposedPorts"]) == ["8000/tcp"]
    alone = containers.unpublished(found)
    assert alone["HostConfig"]["PortBindings"] == {}
    assert found["HostConfig"]["PortBindings"] == bound


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("serve: {root: true}", {"User", "CapAdd"}),
        ("serve: {writable: true}", {"ReadonlyRootfs"}),
        ("resources: {memory: 512M}", {"Memory"}),
        ("resources: {cpus: 1.5}", {"NanoCpus"}),
        ("resources: {pids: 64}", {"PidsLimit"}),
    ],
)
def test_each_key_loosens_one_thing(text: str, changed: set[str]) -> None:
    before, after = _flat(request()), _flat(request(text))
    assert {key for key in before | after if before.get(key) != after.get(key)} == changed


def test_only_who_asks_has_less_than_all_of_a_nodes_cpus() -> None:
    """A quota would slow a model that is alone; between several the kernel shares fairly."""
    assert request()["HostConfig"]["NanoCpus"] == 0
    assert request("resources: {cpus: 1.5}")["HostConfig"]["NanoCpus"] == 1_500_000_000


@pytest.mark.parametrize(
    "key", ["privileged", "network", "volumes", "cap_add", "pid", "devices_all"]
)
def test_nothing_else_can_be_asked_for(key: str) -> None:
    with pytest.raises(schema.BadFile, match="unknown key"):
        request(f"serve: {{{key}: host}}")


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: one for key, one in found.items() if key != "HostConfig"},
        **found["HostConfig"],
    }


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("serve: {}", {"start_period": 60}),
        ("serve: {port: 80}", {"start_period": 60, "host": "127.0.0.1", "port": 80}),
        ("serve: {port: 80, listen: 192.0.2.1, health: /ok, start_period: 5}",
         {"start_period": 5, "host": "192.0.2.1", "port": 80, "http": "/ok"}),
        ("serve: {health_command: test -f x}", {"start_period": 60, "command": ["test -f x"]}),
    ],
)  # fmt: skip
def test_how_it_is_seen_to_be_well(text: str, check: dict[str, Any]) -> None:
    assert containers.health(project(text).serve) == check


def test_the_spec_is_of_what_runs_and_how() -> None:
    digest, check = "sha256:" + "0" * 64, {"start_period": 60}
    first = containers.spec(request(), check, digest)
    others = [
        containers.spec(request("serve: {root: true}"), check, digest),
        containers.spec(request(), {"start_period": 61}, digest),
        containers.spec(request(), check, digest.replace("0", "1")),
    ]
    assert len({first, *others}) == 4


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("2K", 2048), ("512M", 512 * 1024**2), ("3G", 3 * 1024**3)]
)
def test_sizes(text: str, size: int) -> None:
    assert containers.size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "1T", "-1", "1.5G", "G", "1G "])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        containers.size_bytes(text)
