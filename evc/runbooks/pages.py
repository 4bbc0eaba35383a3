"""Serving the dashboards in the browser: one process, read only, one a fleet."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from evc.doors import certs, drawing
from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, EvcError, Locked
from evc.pure.panels import DASHBOARDS, Dashboard, Panel
from evc.pure.pictures import choices as chosen_by
from evc.pure.pictures import pages as html
from evc.runbooks import pictures
from evc.runbooks.pictures import Ask
from evc.runbooks.registry import files, place

LOCK, PORT = "pages", 8321
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
START_SECONDS = 30.0


@dataclass(frozen=True)
class Where:
    """Where to listen, and the 0600 file with the password ('' for EVC's own)."""

    address: str = "127.0.0.1"
    port: int = PORT
    password_file: str = ""

    @property
    def local(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


def serve(fleet: Fleet, where: Where, say: Callable[[str], None]) -> None:
    """Serve until told to stop; raises EvcError when it cannot be."""
    try:
        from evc.doors import pages
    except ModuleNotFoundError as error:
        raise EvcError(f"the pages need {error.name}", "pip install 'evc[web]'") from None
    with stores.reading(fleet.database, fleets.share() / "db"):
        pass  # is there, and of this schema; closed before another SQLite opens it
    with _alone(fleet), _listening(where) as listener:
        password = "" if where.local else _password(fleet, where)
        certificate, key = (None, None) if where.local else _certificate(fleet, where)
        hosts = LOOPBACK | {where.address} if where.local else frozenset[str]()
        home = f"{html.ROOT}/{DASHBOARDS[0].key}"
        served = pages.Served(
            fleet.database, page, home, drawing.style(), hosts, password, certificate, key
        )
        pages.serve(served, listener, lambda: _tell(fleet, where, _url(where, listener), say))


@contextlib.contextmanager
def _alone(fleet: Fleet) -> Iterator[None]:
    """Hold the pages' lock; what one that was killed left is gone: its number is anybody's."""
    with fleet.lock(LOCK):
        _state(fleet).unlink(missing_ok=True)
        yield


def _tell(fleet: Fleet, where: Where, url: str, say: Callable[[str], None]) -> None:
    said = {"pid": os.getpid(), "url": url, "address": where.address}
    fleets.replace(_state(fleet), json.dumps(said))
    say(f"The dashboards: {url}")
    if not where.local:
        say(f"User evc, password in {where.password_file or _own_password(fleet)}")


def detach(fleet: Fleet, where: Where) -> str:
    """Serve in a process of its own, unless one does; its address. Raises EvcError.

    One that was told to serve elsewhere is not in the place of this one.
    """
    if (found := running(fleet)) is not None:
        ports = (PORT, 0, urlsplit(found).port)
        if _said(fleet).get("address") != where.address or where.port not in ports:
            raise Locked(f"the dashboards are served at {found} already", "evc dashboard stop")
        return found
    command = [sys.executable, "-m", "evc", "-C", str(fleet.root), "dashboard", "serve",
               "--listen", where.address, "--port", str(where.port)]  # fmt: skip
    if where.password_file:
        command += ["--password-file", where.password_file]
    log = fleet.database.parent / "pages.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   start_new_session=True)  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while (said := _said(fleet)).get("pid") != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise EvcError(log.read_text(errors="replace").strip().removeprefix("evc: "))
        time.sleep(0.05)
    return str(said["url"])


def running(fleet: Fleet) -> str | None:
    """The address of the pages that are served now, or None."""
    try:
        with fleet.lock(LOCK):
            return None
    except Locked:
        return str(_said(fleet).get("url", ""))


def stop(fleet: Fleet) -> bool:
    """End the process that serves the pages; False when there was none."""
    if running(fleet) is None:
        return False
    deadline, told = time.monotonic() + START_SECONDS, False
    while running(fleet) is not None:
        if not told and (pid := _said(fleet).get("pid")):  # else it is about to begin
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(str(pid)), signal.SIGTERM)
            told = True
        if time.monotonic() > deadline:
            raise EvcError("the pages' process does not end", f"see {_state(fleet)}")
        time.sleep(0.05)
    return True


def page(ask: Ask, dashboard: str, panel: str, query: Mapping[str, Sequence[str]]) -> str:
    """The HTML of a dashboard, or of one of its pictures; raises BadInput for one there is not."""
    one = _dashboard(dashboard)
    span = chosen_by.asked(one, query, time.time())
    made = pictures.choices(ask, one, query, span)
    if panel:
        return pictures.picture(ask, _panel(one, panel), pictures.chosen(made), span)
    return html.dashboard(one, made, span, urlencode(query, doseq=True))


def _dashboard(key: str) -> Dashboard:
    for one in DASHBOARDS:
        if one.key == key:
            return one
    raise BadInput(f"there is no dashboard {key!r}", "see /-/dashboards")


def _panel(dashboard: Dashboard, key: str) -> Panel:
    for one in dashboard.panels:
        if one.key == key:
            return one
    raise BadInput(f"{dashboard.title} has no panel {key!r}")


@contextlib.contextmanager
def _listening(where: Where) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in where.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((where.address, where.port))
            listener.listen(64)
        except OSError as error:
            raise _unbindable(where, error) from None
        yield listener


def _unbindable(where: Where, error: OSError) -> EvcError:
    if error.errno == errno.EADDRINUSE:
        return EvcError(f"port {where.port} of {where.address} is in use", "--port N, or 0 for any")
    return EvcError(f"{where.address}:{where.port} cannot be listened on: {error.strerror}",
                    "--listen one of this machine's addresses")  # fmt: skip


def _url(where: Where, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    host = place.route_source() if where.address in ("0.0.0.0", "::") else where.address
    shown = f"[{host}]" if ":" in host else host
    return f"http{'' if where.local else 's'}://{shown}:{port}/"


def _password(fleet: Fleet, where: Where) -> str:
    if where.password_file:
        found = fleets.read_private(Path(where.password_file))
        if len(found) < 8:
            raise BadInput(f"the password in {where.password_file} has less than 8 characters")
        return found
    own = _own_password(fleet)
    if not own.exists():
        fleets.write_private(own, secrets.token_urlsafe(12))
    return fleets.read_private(own)


def _own_password(fleet: Fleet) -> Path:
    return fleet.certs / "pages.password"


def _certificate(fleet: Fleet, where: Where) -> tuple[Path, Path]:
    """A certificate of the fleet's CA for this machine, anew each time: passwords go over it."""
    now = dt.datetime.now(dt.UTC)
    names = {where.address, *place.own_names(), *LOOPBACK} - {"0.0.0.0", "::"}
    pair = certs.server(files.authority(fleet, now), names, now)
    certificate, key = fleet.certs / "pages.crt", fleet.certs / "pages.key"
    fleets.write_private(key, pair.key)
    fleets.replace(certificate, pair.certificate)
    return certificate, key


def _state(fleet: Fleet) -> Path:
    return fleet.database.parent / "pages.json"


def _said(fleet: Fleet) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(_state(fleet).read_text())
    except (OSError, ValueError):
        return {}
    return found
