"""A registry that runs already, a hub's account among them: which, and with which logins.

login, login-nodes    in `certs/registry`: `USER:PASSWORD`, to push with and for the nodes
"""

from __future__ import annotations

from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.names import safe_text
from evc.pure.secret import Secret
from evc.pure.target import HUB, Target, target
from evc.runbooks.registry import place
from evc.runbooks.registry.files import Registry
from evc.runbooks.registry.logins import Login

NOBODY = Login("", Secret(""))


def find(fleet: Fleet) -> Target | None:
    """The registry that the fleet's file names, None where EVC runs its own; raises BadInput."""
    config = fleet.config()
    return target(config.path.registry, config.path.dockerhub, config.registry)


def load(fleet: Fleet, found: Target) -> Registry:
    """It as a value; raises EvcError for a hub without a login."""
    push = _login(_file(fleet, False))
    if not push.user and found.host == HUB:
        why = f"there is no login for {found.host}/{found.account}"
        raise EvcError(why, f"evc registry login {found.account}")
    ca, nodes = fleet.config().registry.ca, _login(_file(fleet, True))
    return Registry(
        found.host,
        found.host,
        fleet.root / ca if ca and found.tls else None,
        push,
        nodes if nodes.user else push,
        found,
    )


def keep_login(fleet: Fleet, user: str, password: Secret, nodes: bool) -> None:
    """Keep a login in a private file; `nodes` is the one that only pulls."""
    text = f"{safe_text(user)}:{password.reveal()}"
    fleets.write_private(_file(fleet, nodes), text)


def _file(fleet: Fleet, nodes: bool) -> Path:
    return place.folder(fleet) / ("login-nodes" if nodes else "login")


def _login(file: Path) -> Login:
    if not file.exists():
        return NOBODY
    user, _, password = fleets.read_private(file).partition(":")
    return Login(user, Secret(password))
