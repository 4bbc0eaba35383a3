"""What a node says of itself, checked: a hostile node can send anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evc.pure.errors import EvcError
from evc.pure.names import printable

MAX_CHARACTERS = 1_000_000
Short = Annotated[str, Field(max_length=300)]
Count = Annotated[int, Field(ge=0, lt=2**62)]


class _Answer(BaseModel):
    """Keys that this EVC does not know are ignored: a node's program may be newer."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Facts(_Answer):
    """The machine; sizes in bytes."""

    architecture: Short
    kernel: Short = ""
    os: Short = ""
    python: Short = ""
    cpus: Count = 1
    memory: Count = 0
    disk_free: Count = 0
    board: Short = ""
    l4t: Short = ""
    gpu: Short = ""
    systemd: bool = False
    devices: Annotated[dict[Short, Count], Field(max_length=200)] = {}
    emulates: Annotated[list[Short], Field(max_length=20)] = []


class Engine(_Answer):
    """The node's Docker engine."""

    version: Short
    driver: Short = ""
    root: Short = ""
    runtimes: Annotated[list[Short], Field(max_length=50)] = []
    memory_limit: bool = True
    pids_limit: bool = True
    insecure: Annotated[list[Short], Field(max_length=100)] = []


class Container(_Answer):
    """One container that EVC made."""

    model: Short
    release: Short
    spec: Short
    digest: Short
    container: Short
    running: bool
    health: Short = ""
    restart: Short = ""
    started_at: Short = ""
    restarts: Count = 0
    swapping: bool = False


class Observation(_Answer):
    """The answer of `evc_node probe`."""

    program: Short
    user: Short = ""
    mark: Short = ""
    controller: Short = ""
    clock: Annotated[float, Field(ge=0, lt=1e11)]
    clock_offset: float = 0.0  # seconds by the controller's clock, which fills it in
    facts: Facts
    certs: Annotated[dict[Short, Short], Field(max_length=200)] = {}
    login: Short = ""
    watching: bool = False
    engine: Engine | None = None
    engine_problem: Annotated[str, Field(max_length=2000)] = ""
    models: Annotated[list[Container], Field(max_length=500)] = []
    images: Annotated[dict[Short, bool], Field(max_length=1000)] = {}
    reaches: Annotated[dict[Short, bool], Field(max_length=10)] = {}

    @property
    def known(self) -> dict[str, Any]:
        """The facts that the inventory keeps: the machine's, and its engine's."""
        engine = self.engine.model_dump() if self.engine else {}
        return {**self.facts.model_dump(), **{f"docker_{key}": engine[key] for key in engine}}


class Readiness(_Answer):
    """What a builder lacks of a build's context, and the registries (HOST:PORT) it reaches."""

    missing: Annotated[list[Short], Field(max_length=100)]
    reaches: Annotated[dict[Short, bool], Field(max_length=10)]


class Started(_Answer):
    """A job that EVC's program began: where its journal is, and which one it is."""

    folder: Short
    job: Short


class Pushed(_Answer):
    """What a builder pushed; bytes."""

    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: Count


def started(text: str) -> Started:
    """What a program says that began a job; raises EvcError."""
    try:
        return Started.model_validate_json(text)
    except ValidationError:
        raise EvcError("EVC's program there did not say which job it began") from None


def readiness(text: str) -> Readiness:
    """What a builder says before a build; raises EvcError."""
    try:
        return Readiness.model_validate_json(text)
    except ValidationError:
        raise EvcError("EVC's program there did not say what it lacks") from None


def pushed(entry: Mapping[str, Any]) -> Pushed:
    """The last entry of a build; raises EvcError."""
    try:
        return Pushed.model_validate(entry)
    except ValidationError:
        raise EvcError("it does not say what it pushed") from None


def read(text: str) -> Observation:
    """A probe's answer as a value; raises EvcError for anything else."""
    if len(text) > MAX_CHARACTERS:
        raise EvcError(f"the node's answer is larger than {MAX_CHARACTERS:,} characters")
    try:
        return Observation.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(str(part) for part in first["loc"])[:100])
        raise EvcError(
            f"the node's answer is not a probe's: {where}: {first['msg'][:100]}"
        ) from None
