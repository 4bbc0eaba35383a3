"""Other networks: a registry that runs already, one without TLS, builds behind a proxy."""

from __future__ import annotations

import datetime as dt
import json
import random
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import proxy
import pytest
from conftest import Home, wait_until

from evc.doors import certs
from evc.doors import fleet as fleets
from evc.doors.registry import RegistryClient
from evc.pure.errors import EvcError
from evc.pure.secret import Secret
from evc.pure.target import Target
from evc.runbooks import lab, registry

pytestmark = pytest.mark.fleet

Tiny = Callable[..., Path]
PASSWORD = "sEntInel-registry-3141"
SENTINEL = "sEntInel-2718"
CONFIG = """version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http:
  addr: :5000
"""
TLS = "  tls: {certificate: /etc/another/server.crt, key: /etc/another/server.key}\n"
LOGIN = "auth: {htpasswd: {realm: another, path: /etc/another/htpasswd}}\n"


@pytest.fixture(scope="module", autouse=True)
def registered(home: Home) -> None:
    """Every node as it is with EVC's own registry."""
    home.register()


@pytest.fixture(scope="module")
def gateway(home: Home) -> str:
    """This machine as the lab's nodes see it."""
    found = lab.gateway(home.fleet)
    assert found
    return found


@pytest.fixture
def config(home: Home) -> Iterator[Callable[[str], None]]:
    """Write the fleet's config; what was there comes back, and the nodes to it."""
    before = home.fleet.config_file.read_text()

    def write(text: str) -> None:
        home.fleet.config_file.write_text(text)

    yield write
    write(before)
    home.evc("registry", "up")


@pytest.fixture
def another(home: Home, gateway: str, tmp_path: Path) -> Iterator[Callable[[bool], str]]:
    """Start a registry that is not EVC's, with TLS and a login or with neither: its HOST:PORT."""
    started = []

    def start(closed: bool) -> str:
        folder, now = tmp_path / "another", dt.datetime.now(dt.UTC)
        folder.mkdir()
        issuer = certs.authority("another company", now)
        pair = certs.server(issuer, {gateway, "127.0.0.1"}, now)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"shop:{hashed}\n")
        (folder / "server.crt").write_text(pair.certificate)
        (folder / "server.key").write_text(pair.key)
        (folder / "config.yml").write_text(CONFIG + (TLS + LOGIN if closed else ""))
        (home.fleet.root / "company.crt").write_text(issuer.certificate)
        own = home.engine.containers.list(filters={"label": f"evc.fleet={home.fleet.id}"})
        image = next(one.image for one in own if "registry" in one.name)
        port = random.randrange(33_000, 60_000)
        started.append(
            home.engine.containers.run(
                image, ["serve", "/etc/another/config.yml"], entrypoint=["registry"], detach=True,
                name=f"evc-{home.fleet.id}-another",
                ports={"5000/tcp": [(gateway, port), ("127.0.0.1", port)]},
                volumes={str(folder): {"bind": "/etc/another", "mode": "ro"}},
            )
        )  # fmt: skip
        place = f"{gateway}:{port}"
        client = RegistryClient(
            place,
            home.fleet.root / "company.crt" if closed else None,
            "shop" if closed else "",
            Secret(PASSWORD),
            Target(place, tls=closed),
        )
        wait_until("the other registry answers", lambda: _answers(client), 30)
        return place

    yield start
    for container in started:
        container.remove(force=True, v=True)


def test_a_registry_that_runs_already_with_its_own_ca_and_an_account(
    home: Home, tiny: Tiny, config: Callable[[str], None], another: Callable[[bool], str]
) -> None:
    """As with a hub: pushed to ACCOUNT/NAME by one login, which nodes get too."""
    place = another(True)
    config(f"path: {{registry: {place}/shop}}\nregistry: {{running: true, ca: company.crt}}\n")
    project = str(tiny("30", model="elsewhere"))
    refused = home.evc("run", project, "--on", "edge01", code=1)
    assert "evc registry login" in refused.stderr
    secret = home.fleet.root / "hub.token"
    fleets.write_private(secret, "wrong")
    home.evc("registry", "login", "shop", "--password-file", str(secret), code=1)
    fleets.write_private(secret, PASSWORD)
    home.evc("registry", "login", "shop", "--password-file", str(secret))
    home.import_small()

    outcome = home.json("run", project, "--on", "edge01")

    assert outcome["outcome"] == "done"
    (found,) = home.models("edge01", "elsewhere")
    assert found["State"]["Running"]
    names = json.loads(home.on("edge01", "docker", "image", "inspect", found["Image"]))
    assert names[0]["RepoDigests"][0].startswith(f"{place}/shop/x86_64-model@")
    ca = home.on("edge01", "cat", f"/etc/docker/certs.d/{place}/ca.crt")
    assert ca == (home.fleet.root / "company.crt").read_text().strip()
    assert home.json("run", project, "--on", "edge01")["outcome"] == "nothing"
    assert PASSWORD not in home.on("edge01", "docker", "inspect", found["Id"])
    listed = {one["repository"] for one in home.json("registry", "list")}
    assert {"library-small", "x86_64-model"} <= listed


def test_without_tls_docker_is_reloaded_and_keeps_its_settings(
    home: Home, tiny: Tiny, config: Callable[[str], None], another: Callable[[bool], str]
) -> None:
    place = another(False)
    config(f"path: {{registry: {place}}}\nregistry: {{running: true, tls: false}}\n")
    _bring_base(home, place)
    home.on("edge02", "sh", "-c", "echo '{\"max-concurrent-downloads\": 5}'"
            " > /etc/docker/daemon.json")  # fmt: skip
    before = {node: home.on(node, "pidof", "dockerd") for node in ("edge02", "builder01")}
    project = str(tiny("31", model="plain"))
    blocked = home.evc("run", project, "--on", "edge02", code=1)
    assert "without TLS" in blocked.stderr and "evc node add" in blocked.stderr
    home.evc("node", "add", "builder01")
    home.evc("node", "add", "edge02")

    assert home.json("run", project, "--on", "edge02")["outcome"] == "done"

    settings = json.loads(home.on("edge02", "cat", "/etc/docker/daemon.json"))
    assert settings == {"max-concurrent-downloads": 5, "insecure-registries": [place]}
    assert {node: home.on(node, "pidof", "dockerd") for node in before} == before
    assert home.models("edge02", "plain")[0]["State"]["Running"]
    for node in before:
        home.on(node, "python3", "/var/lib/evc/evc_node.pyz", "insecure", "--remove")
    settings = json.loads(home.on("edge02", "cat", "/etc/docker/daemon.json"))
    assert settings == {"max-concurrent-downloads": 5}


@pytest.mark.usefixtures("slim")
def test_a_build_goes_through_proxy_and_mirrors_and_the_image_keeps_no_trace(
    home: Home, tiny: Tiny, config: Callable[[str], None], gateway: str
) -> None:
    project = tiny("32", model="behind")
    (project / "Dockerfile").write_text(
        "FROM python:3.11-slim\nRUN apt-get update || true\nRUN pip install evcprobe\n"
        "WORKDIR /app\nCOPY . /app\n"
    )
    with proxy.running(gateway) as server:
        for name, url in (
            ("proxy", f"http://joe:{SENTINEL}@{server.place}"),
            ("mirror", f"http://apt:{SENTINEL}@{server.place}"),
            ("index", f"http://pip:{SENTINEL}@{server.place}/simple"),
        ):
            fleets.write_private(home.fleet.certs / name, url)
        config(
            "network:\n  http_proxy: file:certs/proxy\n  apt_mirror: file:certs/mirror\n"
            "  pip_index: file:certs/index\n"
        )
        done = home.evc("run", str(project), "--on", "edge03")
        through = server.paths("proxy", f"joe:{SENTINEL}")
        assert "/simple/evcprobe/" in through
        assert any(path.startswith("/debian/dists/") for path in through), through
        assert f"/simple/{proxy.WHEEL}" in server.paths("origin", f"pip:{SENTINEL}")
        assert any("/dists/" in path for path in server.paths("origin", f"apt:{SENTINEL}"))
    (found,) = home.models("edge03", "behind")
    assert found["State"]["Running"]
    _holds_no_trace(home, found["Image"], done.stdout + done.stderr)


@pytest.mark.usefixtures("slim")
def test_a_build_trusts_a_companys_ca_and_the_image_does_not_hold_it(
    home: Home, tiny: Tiny, config: Callable[[str], None], gateway: str, tmp_path: Path
) -> None:
    project = tiny("34", model="inside")
    (project / "Dockerfile").write_text(
        "FROM python:3.11-slim\nRUN pip install evcprobe\nWORKDIR /app\nCOPY . /app\n"
    )
    issuer = certs.authority("a company", dt.datetime.now(dt.UTC))
    pair = certs.server(issuer, {gateway}, dt.datetime.now(dt.UTC))
    fleets.write_private(tmp_path / "pair.pem", pair.certificate + pair.key)
    (home.fleet.root / "company.crt").write_text(issuer.certificate)
    with proxy.running(gateway, tmp_path / "pair.pem") as server:
        index = f"pip_index: 'https://{server.place}/simple'"
        config(f"network: {{{index}}}\n")
        refused = home.evc("run", str(project), "--on", "edge03", code=1).stderr
        assert "CERTIFICATE_VERIFY_FAILED" in refused
        config(f"network: {{{index}, ca: company.crt}}\n")
        home.evc("run", str(project), "--on", "edge03")
        assert f"/simple/{proxy.WHEEL}" in server.paths("origin", "")
    (found,) = home.models("edge03", "inside")
    assert found["State"]["Running"]
    line = issuer.certificate.splitlines()[2]
    ask = f"(docker history --no-trunc {found['Image']}; docker save {found['Image']})"
    assert home.on("edge03", "sh", "-c", f"{ask} | grep -a -c '{line}'", check=False) == "0"


def test_evcs_registry_with_a_certificate_of_ones_own(
    home: Home, tiny: Tiny, config: Callable[[str], None]
) -> None:
    found = registry.load(home.fleet)
    host, _, number = found.reader.rpartition(":")
    now, folder = dt.datetime.now(dt.UTC), home.fleet.root
    issuer = certs.authority("a company", now)
    pair = certs.server(issuer, {host, "127.0.0.1", "localhost"}, now)
    (folder / "company.crt").write_text(issuer.certificate)
    (folder / "registry.crt").write_text(pair.certificate)
    fleets.write_private(folder / "registry.key", pair.key)
    config("registry: {certificate: registry.crt, key: registry.key, ca: company.crt}\n")

    home.evc("registry", "up")

    assert ssl.get_server_certificate((host, int(number))).strip() == pair.certificate.strip()
    outcome = home.json("run", str(tiny("35", model="own")), "--on", "edge01")
    assert outcome["nodes"]["edge01"]["outcome"] == "done"
    assert home.models("edge01", "own")[0]["State"]["Running"]
    ca = home.on("edge01", "cat", f"/etc/docker/certs.d/{found.reader}/ca.crt")
    assert ca == issuer.certificate.strip()


def test_a_dockerfile_that_would_keep_the_proxy_is_refused(
    home: Home, tiny: Tiny, config: Callable[[str], None]
) -> None:
    project = tiny("33", model="behind")
    (project / "Dockerfile").write_text("FROM small:1\nARG HTTP_PROXY\nCOPY . /app\n")
    config("network: {http_proxy: 'http://192.0.2.1:3128'}\n")
    refused = home.evc("run", str(project), "--on", "edge03", code=2)
    assert "declares a proxy itself" in refused.stderr


def _holds_no_trace(home: Home, image: str, said: str) -> None:
    """Neither history, settings nor any layer of the image; nor output and what the builder keeps.

    The build's own secrets file is the one place on the builder, 0600.
    """
    ask = f"docker history --no-trunc {image}; docker image inspect {image}; docker save {image}"
    count = home.on("edge03", "sh", "-c", f"({ask}) | grep -a -c {SENTINEL}", check=False)
    assert count == "0"
    kept = home.on("builder01", "grep", "-rl", SENTINEL, "/var/lib/evc", check=False)
    assert kept.split() == ["/var/lib/evc/network.json"]
    assert home.on("builder01", "stat", "-c", "%a", "/var/lib/evc/network.json") == "600"
    assert SENTINEL not in said


def _bring_base(home: Home, place: str) -> None:
    """Push the base image over loopback, where this machine's Docker wants no TLS."""
    port = place.rpartition(":")[2]
    name = next(tag for one in home.engine.images.list() for tag in one.tags
                if tag.startswith("evc-small-python:"))  # fmt: skip
    target = f"127.0.0.1:{port}/library/small"
    home.engine.images.get(name).tag(target, "1")
    lines: Any = home.engine.api.push(target, "1", stream=True, decode=True)
    assert not [line for line in lines if "error" in line]
    home.engine.images.remove(f"{target}:1")


def _answers(client: RegistryClient) -> bool:
    try:
        client.ping()
    except EvcError:
        return False
    return True
