"""Grafana's container on a real engine, with a stand-in for the server that no hub gives here."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home

from evc.doors import docker as engine
from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure.errors import EvcError
from evc.pure.references import HostPort
from evc.runbooks import base_images, grafana, network
from evc.runbooks.grafana import container as runbook
from evc.runbooks.init import init

pytestmark = pytest.mark.fleet
STANDIN = Path(__file__).with_name("standin_grafana.py")
DOCKERFILE = 'FROM {}\nCOPY server.py /server.py\nENTRYPOINT ["python3", "/server.py"]\n'


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A fleet without nodes: no lab is needed."""
    return Home(init(tmp_path_factory.mktemp("alone") / "fleet"), engine.connect())


@pytest.fixture(scope="module")
def image(alone: Home) -> Iterator[str]:
    tag = f"evc-{alone.fleet.id}-standin-grafana:1"
    base = base_images.python(lambda _: None, network.settings(alone.fleet))
    files = {"Dockerfile": DOCKERFILE.format(base), "server.py": STANDIN.read_text()}
    engine.build(alone.engine, tag, files, lambda _: None)
    yield tag
    alone.engine.images.remove(tag, force=True)


@pytest.fixture
def standin(alone: Home, image: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostPort]:
    """The port where it shall listen."""
    monkeypatch.setattr(runbook, "IMAGE", image)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = HostPort("127.0.0.1", free.getsockname()[1])
    yield address
    grafana.down(alone.fleet)


def container(alone: Home) -> Any:
    return alone.engine.containers.get(runbook.name(alone.fleet))


def test_it_runs_as_the_databases_owner_with_a_password_that_nobody_sees(
    alone: Home, standin: HostPort
) -> None:
    alone.rows("SELECT 1")  # the database is there
    said: list[str] = []
    assert grafana.up(alone.fleet, standin, said.append) == f"http://{standin}"
    found, file = container(alone), grafana.password_file(alone.fleet)
    owner = alone.fleet.database.parent.stat()
    assert found.attrs["Config"]["User"] == f"{owner.st_uid}:{owner.st_gid}"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text().strip()
    assert len(secret) >= 20
    assert secret not in json.dumps(found.attrs) + "".join(said)
    assert found.exec_run(["touch", "/anywhere"]).exit_code != 0
    (address,) = found.attrs["NetworkSettings"]["Ports"]["3000/tcp"]
    assert address["HostIp"] == "127.0.0.1"

    with store.opened(alone.fleet.database, fleets.share() / "db") as opened:
        answers = grafana.check(alone.fleet, opened)
    assert len(answers) > 60
    assert {name: problem for name, problem in answers.items() if problem} == {}
    assert alone.json("dashboard", "grafana", "check") == answers
    alone.evc("dashboard", "grafana", "down")
    assert file.exists()
    with pytest.raises(Exception, match="No such container"):
        container(alone)


def test_a_port_in_use_is_said_with_what_helps_and_what_runs_stays(
    alone: Home, standin: HostPort
) -> None:
    alone.rows("SELECT 1")
    grafana.up(alone.fleet, standin, lambda _: None)
    before = container(alone).id
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = HostPort("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(EvcError, match="in use") as error:
            grafana.up(alone.fleet, busy, lambda _: None)
    assert "--listen" in error.value.remedy
    assert container(alone).id == before
    assert grafana.up(alone.fleet, standin, lambda _: None) == f"http://{standin}"


def test_the_plugin_is_fetched_unless_somebody_unzipped_it(alone: Home) -> None:
    alone.rows("SELECT 1")
    runbook.prepare(alone.fleet)
    address, fetch = HostPort("127.0.0.1", 3000), "GF_PLUGINS_PREINSTALL_SYNC"
    assert runbook.options(alone.fleet, address)["environment"][fetch] == runbook.PLUGIN
    unzipped = runbook.folder(alone.fleet) / "data" / "plugins" / runbook.TYPE / "plugin.json"
    unzipped.parent.mkdir()
    unzipped.write_text("{}")
    assert fetch not in runbook.options(alone.fleet, address)["environment"]


def test_without_image_and_hub_the_remedy_is_named(alone: Home) -> None:
    failed = alone.evc("dashboard", "grafana", "up", code=1)
    assert "docker load" in failed.stderr and "Traceback" not in failed.stderr
