"""Machines as the two files name them: builders in the fleet's, targets in a project's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from evc.pure import references
from evc.pure.names import Address, GroupName, NodeName, Port, SafeText, User
from evc.pure.schema import Strict


def none_as_text(value: object) -> object:
    """The original's files write `None` where YAML says null."""
    return None if value in ("None", "none") else value


def _place(value: str) -> str:
    references.host_port(value)
    return value


OptionalText = Annotated[SafeText | None, BeforeValidator(none_as_text)]
# `HOST:PORT` where people reach a model: PORT is published on the node, HOST leads to it.
App = Annotated[Annotated[str, AfterValidator(_place)] | None, BeforeValidator(none_as_text)]


class Machine(Strict):
    """A machine as the files name it: `builder:` in the fleet's, `target:` in a project's."""

    name: NodeName
    ip: Address
    port: Port = 22
    user: User | None = None
    app: App = None
    hw: OptionalText = None
    os: OptionalText = None
    gpu: OptionalText = None


def _distinct(machines: Iterable[Machine]) -> None:
    """Raise ValueError for two machines with one name, or two names with one address and port."""
    places: dict[str, str] = {}
    for one in machines:
        place = f"{one.ip}:{one.port}"
        if places.setdefault(one.name, place) != place:
            raise ValueError(f"{one.name} is at {places[one.name]} and at {place}")
        if places.setdefault(place, one.name) != one.name:
            raise ValueError(f"{places[place]} and {one.name} are both at {place}")


def _distinct_list(machines: list[Machine]) -> list[Machine]:
    _distinct(machines)
    return machines


def _distinct_groups(groups: dict[str, list[Machine]]) -> dict[str, list[Machine]]:
    _distinct(one for machines in groups.values() for one in machines)
    return groups


def _none_as_empty(value: object) -> object:
    return [] if value is None else value


Machines = Annotated[list[Machine], BeforeValidator(_none_as_empty)]
Targets = Annotated[dict[GroupName, Machines], AfterValidator(_distinct_groups)]
Builders = Annotated[Machines, AfterValidator(_distinct_list)]
