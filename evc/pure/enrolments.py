"""Enrolling a node that nobody can dial: keys with limits, the first-boot script, who waits."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evc.pure.errors import EvcError
from evc.pure.names import NodeName, Port

_Answer = TypeVar("_Answer")

MAX_CHARACTERS = 4_000_000
# sshd's limits have no word for "nothing": a name that never resolves (RFC 2606).
NOWHERE = "nowhere.invalid:1"
_PLACEHOLDER = re.compile(r"@([a-z_]+)@")
_Key = Annotated[str, Field(pattern=r"^[a-z0-9-]{5,40} [A-Za-z0-9+/]{40,2000}={0,2}$")]


class Presented(BaseModel):
    """What a rendezvous knows of a node: its port there, and what its first boot presented."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    port: Port
    expires: Annotated[float, Field(ge=0, lt=1e11)]
    used: Annotated[float, Field(ge=0, lt=1e11)] | None = None
    tunnel_key: _Key = ""
    host_keys: Annotated[list[_Key], Field(max_length=5)] = []


class Opened(BaseModel):
    """A port that a rendezvous keeps for a node, and until when the node may come for it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    port: Port
    expires: Annotated[float, Field(ge=0, lt=1e11)]


_PRESENTED = TypeAdapter(dict[NodeName, Presented])
_OPENED = TypeAdapter(Opened)


def presented(text: str) -> dict[str, Presented]:
    """Node → what is known of it, from a rendezvous' answer; raises EvcError for anything else."""
    return _read(_PRESENTED, text)


def opened(text: str) -> Opened:
    """A rendezvous' answer to a new enrolment; raises EvcError for anything else."""
    return _read(_OPENED, text)


def _read(kind: TypeAdapter[_Answer], text: str) -> _Answer:
    try:
        return kind.validate_json(text[:MAX_CHARACTERS])
    except ValidationError as error:
        problem = error.errors()[0]["msg"][:100]
        raise EvcError(f"the rendezvous' answer is not one of EVC's: {problem}") from None


def controller_line(program: str, key: str, fleet: str) -> str:
    """The line of `authorized_keys` for the controller: its program there, and nodes' ports."""
    limits = f'permitopen="127.0.0.1:*",permitlisten="{NOWHERE}"'
    command = f'command="python3 {program} manage"'
    public = " ".join(key.split()[:2])
    return f"restrict,port-forwarding,{limits},{command} {public} evc:{fleet}:controller"


def script(template: str, values: Mapping[str, str]) -> str:
    """A shell script with each `@name@` of `template` as one word, whatever is in the value."""
    return _PLACEHOLDER.sub(lambda found: shlex.quote(values[found[1]]), template)
