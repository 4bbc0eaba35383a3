"""What every registered node gets: EVC's program, the registry's CA, the registry login, the mark.

Each node has a registry login of its own, so that one can be ended. Builders may push with theirs,
all others only pull.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evc.doors import ansible
from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.pure.plan import Trust
from evc.pure.target import HUB
from evc.runbooks import generations, plays, registry
from evc.runbooks.registry import Login, Registry, logins

CERTS = "/etc/docker/certs.d"
PARTS = ("program", "ca", "login", "mark")
# What Docker's own client calls the hub in its `config.json`.
HUB_CONFIG = "https://index.docker.io/v1/"


def expected(fleet: Fleet, node: Node) -> Trust:
    """What a probe of `node` must find."""
    reg = registry.load(fleet)
    ca, (found,) = _digest(reg.ca) if reg.ca else "", _logins(fleet, reg, [node]).values()
    return Trust(
        program=_digest(plays.program(fleet)),
        login=_digest(_login_file(fleet, node, found)),
        mark=fleet.id,
        controller=generations.mark(fleet),
        certs=dict.fromkeys(_registries(reg, node), ca),
        insecure=tuple(reg.insecure),
    )


def variables(fleet: Fleet) -> dict[str, Any]:
    """The variables of `copy_cert.yaml` and `tasks/trust.yaml` that are the same for all nodes."""
    return {
        "evc_program": ansible.script(plays.program(fleet)),
        "evc_insecure": registry.load(fleet).insecure,
        "evc_mark": fleet.id,
    }


def each(
    fleet: Fleet, nodes: Sequence[Node], parts: dict[str, list[str]] | None = None
) -> dict[str, dict[str, Any]]:
    """Its variables by node; `parts` are those to bring, by node (default: all)."""
    reg = registry.load(fleet)
    return {
        node.name: {
            "evc_certs": [f"{CERTS}/{host}" for host in _registries(reg, node)],
            "evc_parts": parts[node.name] if parts else list(PARTS),
        }
        for node in nodes
    }


def orders(
    fleet: Fleet,
    nodes: Sequence[Node],
    parts: dict[str, list[str]] | None = None,
    key: str = "",
) -> dict[str, dict[str, Any]]:
    """What EVC's program writes there, by node; `parts` as for `each`.

    With `key` that one may log in, and no other.
    """
    reg = registry.load(fleet)
    ca = reg.ca.read_bytes().decode("utf-8", "surrogateescape") if reg.ca else ""
    marks = {"controller": generations.mark(fleet), "fleet": fleet.id}
    found, given = {}, _logins(fleet, reg, nodes)
    for node in nodes:
        wanted = parts[node.name] if parts else PARTS
        login = _login_file(fleet, node, given[node.name])
        found[node.name] = {
            "ca": dict.fromkeys(_registries(reg, node), ca) if "ca" in wanted else {},
            "marks": marks if "mark" in wanted else {},
            "login": login.read_text() if "login" in wanted else "",
            "key": key,
        }
    return found


def _registries(reg: Registry, node: Node) -> list[str]:
    """The hosts for which a node needs a CA."""
    hosts = [reg.reader, reg.writer] if node.builder else [reg.reader]
    return list(dict.fromkeys(hosts)) if reg.ca else []


def _logins(fleet: Fleet, reg: Registry, nodes: Sequence[Node]) -> dict[str, dict[str, Login]]:
    """Node → host → its login there; in another registry than EVC's own they share one."""
    found = {}
    own = {} if reg.other else logins.of_nodes(fleet, {node.name: node.builder for node in nodes})
    for node in nodes:
        pull, push = (own[node.name],) * 2 if own else (reg.pull, reg.push)
        found[node.name] = {reg.reader: pull} | ({reg.writer: push} if node.builder else {})
        if reg.reader == HUB:
            found[node.name][HUB_CONFIG] = found[node.name][HUB]
    return found


def end_logins(fleet: Fleet, names: Sequence[str]) -> None:
    """Refuse the accounts of nodes from now on, and keep nothing of what they were given."""
    logins.end(fleet, names)
    for name in names:
        _given(fleet, name).unlink(missing_ok=True)


def _given(fleet: Fleet, name: str) -> Path:
    return fleet.certs / "registry" / "docker" / name


def _login_file(fleet: Fleet, node: Node, found: Mapping[str, Login]) -> Path:
    """Docker's `config.json` for a node, as a private file on the controller."""
    auths = {
        host: {
            "auth": base64.b64encode(f"{login.user}:{login.password.reveal()}".encode()).decode()
        }
        for host, login in found.items()
        if login.user
    }
    text = json.dumps({"auths": auths}, sort_keys=True)
    file = _given(fleet, node.name)
    fleets.private_folder(file.parent)
    if not file.exists() or file.read_text() != text:
        fleets.write_private(file, text)
    return file


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
