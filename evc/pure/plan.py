"""From wishes and what is there to a list of actions per node: a value that can be printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evc.pure.containers import Volume
from evc.pure.observations import Container, Observation
from evc.pure.secret import Secret

# In the order they are done on a node.
REPAIRS = ("program", "ca", "login", "mark")
NO_ENGINE = "no Docker engine answers there"
NO_INSECURE = (
    "its Docker does not talk to {} without TLS: `evc node add` with its name again adds that to"
    " /etc/docker/daemon.json (sudo, once) and reloads Docker"
)


@dataclass(frozen=True)
class Trust:
    """What every registered node of the fleet has, as hashes: program, logins, marks; CA by host.

    `insecure` are the hosts that its engine talks to without TLS."""

    program: str
    login: str
    mark: str
    certs: dict[str, str] = field(default_factory=dict)
    insecure: tuple[str, ...] = ()
    controller: str = ""


@dataclass(frozen=True)
class ImageRef:
    """An image in the fleet's registry, whatever address that has."""

    repository: str
    digest: str


@dataclass(frozen=True)
class Wish:
    """One model's release on one node, down to the container.

    `files` are what its settings' volume holds: they travel apart from the rest.
    """

    model: str
    release: str
    image: ImageRef
    architecture: str
    spec: str
    request: dict[str, Any]
    health: dict[str, Any]
    previous: ImageRef | None = None
    volumes: Sequence[Volume] = ()
    files: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True)
class Action:
    """One thing to do on a node: `program`, `ca`, `login`, `pull`, `swap`."""

    kind: str
    reason: str
    wish: Wish | None = None

    def __str__(self) -> str:
        return f"{self.kind} ({self.reason})"


@dataclass(frozen=True)
class NodePlan:
    """What to do on one node; `blocked` says why nothing can be done there."""

    actions: tuple[Action, ...] = ()
    blocked: str = ""


def plan(seen: Observation, trust: Trust, wishes: Sequence[Wish]) -> NodePlan:
    """The actions that bring a node from what was seen to what is wished."""
    if seen.mark and seen.mark != trust.mark:
        return NodePlan(blocked=f"it belongs to another fleet ({seen.mark})")
    if wishes and seen.engine is None:
        return NodePlan(blocked=f"{NO_ENGINE}: {seen.engine_problem}")
    strict = [one for one in trust.insecure if seen.engine and one not in seen.engine.insecure]
    if strict:
        return NodePlan(blocked=NO_INSECURE.format(strict[0]))
    actions = _repairs(seen, trust)
    for wish in wishes:
        actions += _converge(seen, wish)
    return NodePlan(tuple(actions))


def _repairs(seen: Observation, trust: Trust) -> list[Action]:
    actions = []
    if seen.program != trust.program:
        actions.append(Action("program", "another version of EVC's program is there"))
    for host, digest in trust.certs.items():
        found = seen.certs.get(host, "")
        if found != digest:
            actions.append(Action("ca", f"{'another' if found else 'no'} CA for {host}"))
    if seen.controller != trust.controller:
        actions.append(Action("mark", "it knows an earlier controller"))
    if seen.login != trust.login:
        actions.append(Action("login", "no registry login" if not seen.login else "old login"))
    return actions


def _converge(seen: Observation, wish: Wish) -> list[Action]:
    actions = []
    if wish.previous and not seen.images.get(wish.previous.digest, False):
        actions.append(Action("pull", "the previous release's image is gone", wish))
    reason = _difference([found for found in seen.models if found.model == wish.model], wish)
    if reason:
        actions.append(Action("swap", reason, wish))
    return actions


def _difference(found: list[Container], wish: Wish) -> str:
    """Why the containers of a model are not what is wished, or ''."""
    right = [one for one in found if one.digest == wish.image.digest and one.spec == wish.spec]
    if any(one.swapping for one in found):
        return "a swap was interrupted"
    if not found:
        return "not there"
    if not right:
        same = found[0].digest == wish.image.digest
        return "its settings changed" if same else f"{found[0].release} serves"
    if len(found) > 1:
        return "more than one container of it"
    if not right[0].running:
        return "stopped"
    return "" if right[0].restart == "always" else "would not come back with the engine"
