"""The registry's accounts: two of the controller's own, and one for each node.

push, pull                   the passwords of the controller's two, in `certs/registry`
nodes/NAME                   a node's password, hashed once, and whether it may push: JSON
writer/ reader/htpasswd      who may push and who may pull; the registry reads it when it changes
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.secret import Secret
from evc.runbooks.registry import place

PUSH, PULL = "evc-push", "evc-pull"
# Side → the controller's own account there, and the file with its password.
OWN = {"writer": (PUSH, "push"), "reader": (PULL, "pull")}
# Each request is one bcrypt check. The passwords are 256 random bits, which no number of rounds
# makes harder to guess; 2**12 rounds would cost 0.2 s of CPU for each layer of each node.
BCRYPT_ROUNDS = 4


@dataclass(frozen=True)
class Login:
    """An account of the registry."""

    user: str
    password: Secret


def prepare(fleet: Fleet) -> None:
    """Make the controller's passwords when there are none, and write both lists of accounts."""
    with _locked(fleet):
        for _, file in OWN.values():
            if not (place.folder(fleet) / file).exists():
                _renew(fleet, file)
        _write_lists(fleet)


def own(fleet: Fleet, side: str) -> Login:
    """The controller's own account on one side."""
    user, file = OWN[side]
    return Login(user, Secret(fleets.read_private(place.folder(fleet) / file)))


def of_nodes(fleet: Fleet, pushes: Mapping[str, bool]) -> dict[str, Login]:
    """The account of each node, made at its first mention; `pushes` says which may also push."""
    kept = {name: _read(_file(fleet, name)) for name in pushes}
    new = {name for name, may in pushes.items() if kept[name].get("pushes") is not may}
    if new:
        with _locked(fleet):
            for name in new:
                kept[name] = _read(_file(fleet, name)) or _fresh()
                kept[name]["pushes"] = pushes[name]
                fleets.write_private(_file(fleet, name), json.dumps(kept[name]))
            _write_lists(fleet)
    return {name: Login(_user(name), Secret(one["password"])) for name, one in kept.items()}


def end(fleet: Fleet, nodes: Iterable[str]) -> None:
    """Refuse the accounts of `nodes` from now on."""
    gone = [file for name in nodes if (file := _file(fleet, name)).exists()]
    if gone:
        with _locked(fleet):
            for file in gone:
                file.unlink(missing_ok=True)
            _write_lists(fleet)


def renew_own(fleet: Fleet) -> None:
    """New passwords for the controller: a node that an older EVC registered has the ones before."""
    if not fleet.registry_data.exists():
        return  # it has no registry of its own
    with _locked(fleet):
        for _, file in OWN.values():
            _renew(fleet, file)
        _write_lists(fleet)


def _write_lists(fleet: Fleet) -> None:
    nodes = {file.name: _read(file) for file in sorted(_folder(fleet).iterdir())}
    for side in OWN:
        allowed = {name: one for name, one in nodes.items() if side == "reader" or one["pushes"]}
        lines = [f"{_user(name)}:{one['hash']}" for name, one in allowed.items()]
        place.give(fleet, side, "htpasswd", "\n".join([_own_line(fleet, side), *lines]) + "\n")


def _own_line(fleet: Fleet, side: str) -> str:
    """The controller's line, kept while it fits: a hash has a random salt."""
    login, file = own(fleet, side), place.folder(fleet) / side / "htpasswd"
    line = file.read_text().partition("\n")[0] if file.exists() else ""
    user, _, hashed = line.partition(":")
    password = login.password.reveal()
    fits = user == login.user and bcrypt.checkpw(password.encode(), hashed.encode())
    return line if fits else f"{login.user}:{_hash(password)}"


def _renew(fleet: Fleet, file: str) -> None:
    fleets.write_private(place.folder(fleet) / file, secrets.token_urlsafe(32))


def _fresh() -> dict[str, Any]:
    password = secrets.token_urlsafe(32)
    return {"password": password, "hash": _hash(password)}


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fleets.read_private(file)) if file.exists() else {}
    return found


def _user(node: str) -> str:
    return f"node-{node}"


def _folder(fleet: Fleet) -> Path:
    return fleets.private_folder(place.folder(fleet) / "nodes")


def _file(fleet: Fleet, node: str) -> Path:
    return _folder(fleet) / node


def _locked(fleet: Fleet) -> Any:
    """Two commands that add nodes at one time wait for each other: both lists are whole files."""
    return fleet.lock("registry-logins", wait=True)
