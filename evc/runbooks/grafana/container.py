"""Grafana in a container: provisioned, with the plugin, as the account that owns the database.

A reader of a WAL database makes files beside it; another account's would lock the logger out.
"""

from __future__ import annotations

import secrets
import socket
import time
from pathlib import Path
from typing import Any

from evc.doors import docker as engine
from evc.doors import fleet as fleets
from evc.doors.docker import Say
from evc.doors.fleet import Fleet
from evc.doors.grafana import Grafana
from evc.pure.errors import EvcError
from evc.pure.grafana import Source
from evc.pure.grafana.source import TYPE
from evc.pure.references import HostPort
from evc.pure.secret import Secret
from evc.runbooks.grafana.files import write
from evc.runbooks.registry.containers import LOGS, STOP_SECONDS, account, mount, refused

IMAGE = "grafana/grafana:12.3.0"
PLUGIN = f"{TYPE}@4.0.3"
OTHER_PORT = "--listen HOST:PORT of a free port"
READY_SECONDS = 180.0  # the plugin is fetched before Grafana answers
DATABASE, FILES, DATA, PASSWORD = "/evc/db", "/evc/files", "/var/lib/grafana", "/evc/password"
SETTINGS = {
    "GF_PATHS_DATA": DATA,
    "GF_PATHS_PLUGINS": f"{DATA}/plugins",
    "GF_PATHS_PROVISIONING": f"{FILES}/provisioning",
    # Read by Grafana itself: the password is neither in an environment nor in an argv.
    "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{PASSWORD}}}",
    "GF_USERS_ALLOW_SIGN_UP": "false",
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
}


def up(fleet: Fleet, address: HostPort, say: Say) -> str:
    """Start Grafana at `address`, or another one in the place of what runs; its URL.

    Raises EvcError where the image, the port or the plugin cannot be had.
    """
    with fleet.lock("grafana"):
        client = engine.connect()
        _require_image(client, say)
        _require_free(fleet, address)
        prepare(fleet)
        down(fleet)
        container = client.containers.create(IMAGE, name=name(fleet), **options(fleet, address))
        try:
            with refused(f"{name(fleet)} does not start", OTHER_PORT):
                container.start()
            say("waiting for Grafana")
            _wait(fleet, container, address)
        except EvcError:
            container.remove(force=True)
            raise
    fleets.replace(_address_file(fleet), f"{address}\n")
    return f"http://{address}"


def down(fleet: Fleet) -> bool:
    """Stop and remove it; its own data (users, preferences) stay. Whether it was there."""
    mine: dict[str, Any] = {"label": f"evc.grafana={fleet.id}"}
    with refused("Grafana cannot be removed"):
        found = engine.connect().containers.list(all=True, filters=mine, ignore_removed=True)
        for container in found:
            container.stop(timeout=STOP_SECONDS)
            container.remove(force=True)
    return bool(found)


def opened(fleet: Fleet) -> Grafana:
    """The Grafana that `up` started last; raises EvcError when there is none."""
    file = _address_file(fleet)
    if not file.exists():
        raise EvcError("there is no Grafana of this fleet", "evc dashboard grafana up")
    return Grafana(f"http://{file.read_text().strip()}", password(fleet))


def password(fleet: Fleet) -> Secret:
    """Of Grafana's account `admin`: generated once, in a 0600 file."""
    file = password_file(fleet)
    if not file.exists():
        fleets.write_private(file, secrets.token_urlsafe(18))
        fleets.owned_like(file, fleet.database.parent)
    return Secret(fleets.read_private(file))


def password_file(fleet: Fleet) -> Path:
    return fleet.certs / "grafana-password"


def folder(fleet: Fleet) -> Path:
    """What is Grafana's own: its files, its data."""
    return fleet.database.parent / "grafana"


def _address_file(fleet: Fleet) -> Path:
    """Where `up` notes the address that Grafana listens at."""
    return folder(fleet) / "address"


def name(fleet: Fleet) -> str:
    return f"evc-{fleet.id}-grafana"


def prepare(fleet: Fleet) -> None:
    """The folders and files that the container is given, owned by who owns the database."""
    own = folder(fleet)
    given = [own, own / "files", own / "data", own / "data" / "plugins"]
    for path in given:
        fleets.private_folder(path)
    password(fleet)
    seen = f"{DATABASE}/{fleet.database.name}"
    write(Source(fleet.id), own / "files", seen, FILES)
    for path in (*given, *(own / "files").rglob("*")):
        fleets.owned_like(path, fleet.database.parent)


def options(fleet: Fleet, address: HostPort) -> dict[str, Any]:
    """How it runs: nothing to write but its data and beside the database, nothing to gain."""
    own = folder(fleet)
    offline = (own / "data" / "plugins" / TYPE / "plugin.json").exists()
    fetched = {} if offline else {"GF_PLUGINS_PREINSTALL_SYNC": PLUGIN}
    return {
        "user": account(engine.connect(), fleet.database.parent),
        "labels": {"evc.fleet": fleet.id, "evc.grafana": fleet.id},
        "environment": {**SETTINGS, **fetched},
        "ports": {"3000/tcp": (address.host, address.port)},
        "mounts": [
            mount(fleet.database.parent, DATABASE, writable=True),
            mount(own / "files", FILES),
            mount(own / "data", DATA, writable=True),
            mount(password_file(fleet), PASSWORD),
        ],
        "restart_policy": {"Name": "always"},
        "log_config": LOGS,
        "init": True,
        "read_only": True,
        "tmpfs": {"/tmp": "size=64m,noexec,nosuid,nodev"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 512,
    }


def _require_image(client: Any, say: Say) -> None:
    if engine.has_image(client, IMAGE):
        return
    say(f"pulling {IMAGE}")
    if not engine.pull(client, IMAGE):
        remedy = f"elsewhere: docker save -o FILE {IMAGE}; here: docker load -i FILE"
        raise EvcError(f"{IMAGE} cannot be pulled: no hub answers", remedy)


def _require_free(fleet: Fleet, address: HostPort) -> None:
    """Raise EvcError for a port that something else has, before what runs is taken down."""
    file = _address_file(fleet)
    if file.exists() and file.read_text().strip() == str(address):
        return  # its own
    try:
        with socket.create_server(address):
            pass
    except OSError as error:
        raise EvcError(f"{address} is not free: {error.strerror}", OTHER_PORT) from None


def _wait(fleet: Fleet, container: Any, address: HostPort) -> None:
    client = Grafana(f"http://{address}", password(fleet))
    deadline = time.monotonic() + READY_SECONDS
    while not client.answers():
        container.reload()
        if container.attrs.get("RestartCount") or time.monotonic() > deadline:
            said = container.logs(tail=8).decode(errors="replace")
            plugins = folder(fleet) / "data" / "plugins"
            remedy = f"without the internet: unzip the plugin {PLUGIN} into {plugins}"
            raise EvcError(f"Grafana does not come up:\n{said}", remedy)
        time.sleep(0.3)
