"""The registry's two containers, over one storage: the writer, and the reader for the nodes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evc.doors import docker as engine
from evc.doors.docker import Say
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.references import HostPort
from evc.runbooks import base_images
from evc.runbooks.registry import place
from evc.runbooks.registry.files import SIDES, config

HUB_IMAGE = "registry:2"
# For when no hub answers. Debian's own settings file names a folder as the password file.
DOCKERFILE = """FROM {debian}
RUN apt-get update && apt-get install -y --no-install-recommends docker-registry \
 && ln -s docker-registry /usr/bin/registry && rm -rf /var/lib/apt/lists/*
"""
LOGS = {"type": "local", "config": {"max-size": "20m", "max-file": "5"}}
STOP_SECONDS = 10


class Containers:
    """The containers of a fleet's registry on this machine's engine."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._client = engine.connect()

    def are_running(self, address: HostPort) -> bool:
        """Whether both run as they should for `address`."""
        return all(self._runs(side, address) for side in SIDES)

    def run(self, address: HostPort, say: Say) -> bool:
        """Start what does not run as it should, replacing what differs; True on a change."""
        waiting = [side for side in SIDES if not self._runs(side, address)]
        if not waiting:
            return False
        image = self._image(say)
        for side in waiting:
            self._remove(side)
        for side in waiting:
            say(f"starting {self._name(side)}")
            self._start(side, image, address)
        return True

    def restart(self) -> None:
        """Let both read their certificates again."""
        for side in SIDES:
            for container in self._found(side):
                with refused(f"{container.name} does not restart"):
                    container.restart(timeout=STOP_SECONDS)

    def remove(self) -> list[str]:
        """Stop and remove both; the names of those that were there."""
        return [name for side in SIDES for name in self._remove(side)]

    def state(self, side: str) -> str:
        """`running`, `exited`, …, or `absent`."""
        return next((str(each.status) for each in self._found(side)), "absent")

    def last_lines(self, side: str) -> str:
        """What a side said last."""
        found = self._found(side)
        return found[0].logs(tail=8).decode(errors="replace") if found else "(no container)"

    def _runs(self, side: str, address: HostPort) -> bool:
        wanted = _fingerprint(self._options(side, address), side)
        return any(
            each.status == "running" and each.labels.get("evc.settings") == wanted
            for each in self._found(side)
        )

    def _start(self, side: str, image: str, address: HostPort) -> None:
        options = self._options(side, address)
        options["labels"]["evc.settings"] = _fingerprint(options, side)
        container = self._client.containers.create(image, ["serve", "/etc/evc/side/config.yml"],
                                                   name=self._name(side), **options)  # fmt: skip
        try:
            with refused(f"{self._name(side)} does not start"):
                container.start()
        except EvcError:
            container.remove(force=True)
            raise

    def _options(self, side: str, address: HostPort) -> dict[str, Any]:
        """How a side runs: nothing to write but the storage, nothing to gain but its port."""
        own = place.folder(self._fleet)
        port = (address if side == "writer" else place.reader(address)).port
        return {
            "entrypoint": ["registry"],
            "user": account(self._client, self._fleet.registry_data),
            "labels": {"evc.fleet": self._fleet.id, "evc.registry": side},
            "ports": {"5000/tcp": [(ip, port) for ip in place.published_on(address)]},
            "mounts": [
                mount(self._fleet.registry_data, "/var/lib/registry", writable=side == "writer"),
                mount(own / side, "/etc/evc/side"),
                mount(own / "tls", "/etc/evc/tls"),
            ],
            "restart_policy": {"Name": "always"},
            "log_config": LOGS,
            "init": True,
            "read_only": True,
            "tmpfs": {"/tmp": "size=16m,noexec,nosuid,nodev"},
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": 512,
        }

    def _image(self, say: Say) -> str:
        if engine.has_image(self._client, HUB_IMAGE) or engine.pull(self._client, HUB_IMAGE):
            return HUB_IMAGE
        dockerfile = DOCKERFILE.format(debian=base_images.debian(say))
        return base_images.image("evc-registry", dockerfile, say)

    def _name(self, side: str) -> str:
        return f"evc-{self._fleet.id}-registry-{side}"

    def _found(self, side: str) -> list[Any]:
        mine: dict[str, Any] = {"label": [f"evc.fleet={self._fleet.id}", f"evc.registry={side}"]}
        with refused("the engine does not list its containers"):
            return list(self._client.containers.list(all=True, filters=mine, ignore_removed=True))

    def _remove(self, side: str) -> list[str]:
        found = self._found(side)
        for container in found:
            with refused(f"{container.name} cannot be removed"):
                container.stop(timeout=STOP_SECONDS)
                container.remove(force=True)
        return [str(container.name) for container in found]


def _fingerprint(options: dict[str, Any], side: str) -> str:
    """Of all that makes a container what it is, so that a newer EVC replaces an older one's."""
    text = json.dumps([options, config(side), DOCKERFILE], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def account(client: Any, folder: Path) -> str:
    """Who owns a folder; a rootless engine shows that account as 0 inside."""
    security, owner = client.info().get("SecurityOptions") or [], folder.stat()
    rootless = any("name=rootless" in option for option in security)
    return "0:0" if rootless else f"{owner.st_uid}:{owner.st_gid}"


def mount(folder: Path, target: str, *, writable: bool = False) -> dict[str, Any]:
    """A folder of this machine inside a container, as Docker's API names it."""
    source = str(folder)
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": not writable}


class PortTaken(EvcError):
    """Something else on this machine has the port."""


@contextmanager
def refused(
    what: str, port_remedy: str = "set `path: registry: HOST:PORT` to free ports"
) -> Iterator[None]:
    """The engine's refusals as EvcError. Docker's APIError is an OSError, by way of requests."""
    try:
        yield
    except OSError as error:
        why = str(getattr(error, "explanation", None) or error)
        if "already allocated" in why or "already in use" in why:
            raise PortTaken(f"{what}: {why}", port_remedy) from None
        raise EvcError(f"{what}: {why}") from None
