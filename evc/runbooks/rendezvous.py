"""The hosts that nodes keep their tunnels to: prepared once, then asked by EVC's own key."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evc.doors import fleet as fleets
from evc.doors import ssh
from evc.doors.fleet import Fleet
from evc.doors.ssh import SshError
from evc.doors.store import Store
from evc.pure import complaints, enrolments
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.runbooks import plays
from evc.runbooks.progress import Progress

HOME = "/var/lib/evc-tunnel"
READY_SECONDS = 15.0
LOOPBACKS = ("localhost", "127.", "::1")


@dataclass(frozen=True)
class Login:
    """How a person logs in to a rendezvous to prepare it; sudo is needed there."""

    host: str
    port: int
    user: str | None = None
    key: str | None = None


def prepare(fleet: Fleet, store: Store, login: Login, sudo: Path | None, progress: Progress) -> str:
    """Make the account, its limits in sshd and EVC's program there; the place as HOST:PORT.

    `sudo` is a private file with the password there. Again is the same as once.
    """
    if login.host.startswith(LOOPBACKS):
        raise BadInput(
            f"{login.host} is another machine on every node",
            "--via an address of the rendezvous, or of this machine, that the nodes reach",
        )
    place = f"{login.host}:{login.port}"
    progress.say(f"preparing the rendezvous {place}")
    _pin(fleet, login, progress)
    program = f"{HOME}/{fleet.id}/evc_rendezvous.py"
    key = ssh.ensure_key(fleet.ssh_key, f"evc-{fleet.id}", fleet.private_mode)
    line = enrolments.controller_line(program, key, fleet.id)
    variables = {"evc_mark": fleet.id, "evc_controller_line": line}
    sudo_file = str(sudo) if sudo else None
    node = Node(0, "rendezvous", login.host, login.port, login.user, login.key, sudo_file)
    result = plays.play(
        fleet, "rendezvous", [node], variables, as_login=True, known_hosts=fleet.rendezvous_hosts
    )[node.name]
    if not result.ok:
        raise EvcError(f"{place} is no rendezvous yet: {complaints.explain(result.message)}")
    _wait_until_ready(fleet, place)
    _used(store, place)
    return place


def chosen(store: Store) -> str:
    """The rendezvous that was used last; raises BadInput when there is none."""
    row = store.row("SELECT place FROM rendezvous ORDER BY used_at DESC LIMIT 1")
    if row is None:
        remedy = "--via [USER@]HOST[:PORT]: a host that nodes reach by SSH, and where you may sudo"
        raise BadInput("where shall the node keep its tunnel to?", remedy)
    return str(row["place"])


def ask(fleet: Fleet, place: str, do: str, **more: Any) -> str:
    """EVC's program on a rendezvous does something; its answer as JSON text."""

    async def said() -> list[str]:
        target, order = plays.rendezvous(fleet, place), json.dumps({"do": do, **more})
        return [line async for line in ssh.lines(target, ["evc_rendezvous", do], order)]

    lines = asyncio.run(said())
    if not lines:
        raise EvcError(f"the rendezvous {place} said nothing")
    return lines[-1]


def host_line(fleet: Fleet, place: str) -> str:
    """The line of known_hosts that pins a rendezvous."""
    host, _, port = place.rpartition(":")
    found = _lines(fleet).get(ssh.pattern(host, int(port)))
    if not found:
        raise EvcError(f"the host key of {place} is not pinned", f"--via [USER@]{place}")
    return found


def _pin(fleet: Fleet, login: Login, progress: Progress) -> None:
    """Pin the rendezvous' host key: for its preparation, and for all that nodes and EVC do."""
    lines = _lines(fleet)
    known = lines.get(ssh.pattern(login.host, login.port), "")
    key = asyncio.run(ssh.host_key(login.host, login.port, known=known))
    if known and known != key.line:
        raise EvcError(
            f"{login.host} shows the host key {key.fingerprint}, not {ssh.fingerprint(known)}",
            f"give it its old keys back: nodes trust no other. Unexplained? Someone may be in"
            f" between. Otherwise take its line out of {fleet.rendezvous_hosts}",
        )
    if not known:
        progress.say(f"{login.host}: host key {key.fingerprint} pinned")
        text = "".join(f"{line}\n" for line in [*lines.values(), key.line])
        fleets.write_private(fleet.rendezvous_hosts, text)


def _lines(fleet: Fleet) -> dict[str, str]:
    file = fleet.rendezvous_hosts
    lines = file.read_text().splitlines() if file.exists() else []
    return {line.split()[0]: line for line in lines}


def _wait_until_ready(fleet: Fleet, place: str) -> None:
    """Its sshd has just read its settings again: it may refuse for a moment."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            enrolments.presented(ask(fleet, place, "show"))
            return
        except SshError as error:
            if time.monotonic() > deadline:
                remedy = "do its AllowUsers or AllowGroups leave evc-tunnel out?"
                raise EvcError(f"{place} does not let EVC in: {error.message}", remedy) from None
        time.sleep(0.2)


def _used(store: Store, place: str) -> None:
    store.write(
        "INSERT INTO rendezvous VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET used_at = ?",
        (place, time.time(), time.time()),
    )
