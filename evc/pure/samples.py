"""Lines of a node's agent as values: any node may be hostile, so nothing of them is believed.

A bad value is dropped and counted, the rest of its line kept. Who the node is, the connection says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evc.pure import events, minutes, positions
from evc.pure.events import Metric, Prediction
from evc.pure.minutes import Minute
from evc.pure.positions import Position
from evc.pure.sieve import MAX_INTEGER, Sieve

MAX_LINE = 400_000
FORMAT = 1
FIGURES = ("idle", "load1", "load5", "load15", "memory_used", "memory_total", "memory_available",
           "swap_total", "swap_used", "disk_used", "disk_available", "temperature", "rx", "tx",
           "disk_read", "disk_write")  # fmt: skip
MAX_UP = 6.3e8  # seconds: 20 years
MAX_SECONDS, MAX_BYTES, MAX_CORES = 1e11, 2**60, 512
MAX_SERIES, MAX_CONTAINERS = 64, 200
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# Name in `detail` → where it lies in a sample, and what one has.
_SINGLE = {
    "disks": (("disks",), ("used", "available")),
    "interfaces": (("network", "interfaces"), ("rx", "tx")),
    "io": (("io", "disks"), ("read", "write", "busy")),
    "gpu": (("gpu",), ("used", "memory_used", "memory_total", "temperature", "power")),
}


@dataclass(frozen=True)
class Container:
    """One of EVC's containers at the moment of a sample."""

    name: str
    model: str
    release: str
    digest: str
    state: str
    health: str
    restarts: int | None
    cpu: float | None
    memory: int | None


@dataclass(frozen=True)
class Sample:
    """One sample: number, boot, seconds since boot and the node's own clock; figures by column.

    With `minute` it stands for several, the last of which has its number and its times.
    """

    seq: int
    boot: str
    up: float
    clock: float
    figures: Mapping[str, float | None]
    detail: str
    containers: tuple[Container, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    metrics: tuple[Metric, ...] = ()
    minute: Minute | None = None

    @property
    def first(self) -> int:
        """The number of the first sample that it stands for."""
        return self.minute.first if self.minute else self.seq


@dataclass(frozen=True)
class Gap:
    """Numbers that the node does not have; `last` is None when its ring is another one."""

    first: int
    last: int | None
    reason: str


@dataclass(frozen=True)
class Hello:
    """The first line, said again every hour: the agent's program, its newest number, the node's
    clocks now, and the format of its lines.

    `controller` is the mark of the controller that the node knows.
    """

    boot: str
    up: float
    clock: float
    program: str
    newest: int | None
    controller: str = ""
    format: int = FORMAT


@dataclass(frozen=True)
class Silence:
    """The agent's sampler has not written for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Line:
    """What a line says, the position reached with it, and what was dropped of it."""

    at: Position
    what: Sample | Gap | Hello | Silence
    dropped: Mapping[str, int]


def read(text: bytes) -> Line:
    """A line of an agent; raises ValueError for one of which nothing can be kept."""
    sieve = Sieve()
    found = sieve.load(text)
    return Line(positions.parse(found.get("at")), _what(sieve, found), sieve.dropped)


def _what(sieve: Sieve, found: dict[str, Any]) -> Sample | Gap | Hello | Silence:
    if "sample" in found:
        return _sample(sieve, found)
    if "follow" in found:
        return _hello(sieve, sieve.members(found["follow"]))
    if "gap" in found:
        return _gap(sieve, sieve.members(found["gap"]))
    if "silent" in found:
        return Silence(_needed(sieve.number(found["silent"])))
    raise ValueError("neither a sample nor anything else")


def _needed(value: float | None) -> float:
    if value is None:
        raise ValueError("a number that is needed is missing or wrong")
    return value


def _boot(sieve: Sieve, found: Mapping[str, Any]) -> str:
    boot = sieve.text(found.get("boot"), 64)
    if not boot:
        raise ValueError("it names no boot")
    return boot


def _hello(sieve: Sieve, found: dict[str, Any]) -> Hello:
    up, clock = (
        _needed(sieve.number(found.get(key), most))
        for key, most in (("up", MAX_UP), ("time", MAX_SECONDS))
    )
    newest, controller = sieve.integer(found.get("newest")), sieve.text(found.get("controller"))
    program = sieve.text(found.get("program"), 16)
    form = sieve.integer(found.get("format")) or FORMAT
    return Hello(_boot(sieve, found), up, clock, program, newest, controller, form)


def _gap(sieve: Sieve, found: dict[str, Any]) -> Gap:
    first, last = sieve.integer(found.get("from")), sieve.integer(found.get("to"))
    if first is None or (last is not None and last < first):
        raise ValueError("a gap that is none")
    return Gap(first, last, sieve.text(found.get("reason"), 20))


def _sample(sieve: Sieve, line: dict[str, Any]) -> Sample:
    seq, found = sieve.integer(line.get("seq")), sieve.members(line["sample"])
    up = sieve.number(line.get("up"), MAX_UP)
    clock = sieve.number(line.get("time"), MAX_SECONDS)
    containers, figures = tuple(_containers(sieve, found)), _figures(sieve, found)
    predictions, metrics = events.read(sieve, found.get("events"), containers)
    minute = minutes.read(sieve, line.get("minute"), figures, _figures)
    detail = _detail(sieve, found) | ({"minute": minute.detail} if minute else {})
    return Sample(
        int(_needed(seq)),
        _boot(sieve, line),
        _needed(up),
        clock or 0.0,
        figures,
        _ENCODER.encode(detail),
        containers,
        predictions,
        metrics,
        minute,
    )


def _figures(sieve: Sieve, found: dict[str, Any]) -> dict[str, float | None]:
    cpu, memory = sieve.members(found.get("cpu")), sieve.members(found.get("memory"))
    network, io = sieve.members(found.get("network")), sieve.members(found.get("io"))
    disk = sieve.members(sieve.members(found.get("disks")).get(str(found.get("docker_disk"))))
    load = [*sieve.items(found.get("load"), 3), None, None, None]
    return {
        "idle": sieve.number(cpu.get("idle"), 100.0),
        "load1": sieve.number(load[0]),
        "load5": sieve.number(load[1]),
        "load15": sieve.number(load[2]),
        "memory_used": sieve.number(memory.get("used"), 100.0),
        "memory_total": sieve.integer(memory.get("total"), MAX_BYTES),
        "memory_available": sieve.integer(memory.get("available"), MAX_BYTES),
        "swap_total": sieve.integer(memory.get("swap_total"), MAX_BYTES),
        "swap_used": sieve.integer(memory.get("swap_used"), MAX_BYTES),
        "disk_used": sieve.integer(disk.get("used"), MAX_BYTES),
        "disk_available": sieve.integer(disk.get("available"), MAX_BYTES),
        "temperature": _hottest(found.get("temperatures")),
        "rx": sieve.number(network.get("rx")),
        "tx": sieve.number(network.get("tx")),
        "disk_read": sieve.number(io.get("read")),
        "disk_write": sieve.number(io.get("write")),
    }


def _hottest(value: object) -> float | None:
    """The highest of the temperatures that `_detail` takes; what is wrong is counted there."""
    sieve = Sieve()
    found = [_degrees(sieve, one) for _, one in sieve.series(value, MAX_SERIES)]
    return max((one for one in found if one is not None), default=None)


def _degrees(sieve: Sieve, value: object) -> float | None:
    return sieve.number(value, 1000.0, least=-273.15)


def _detail(sieve: Sieve, found: dict[str, Any]) -> dict[str, Any]:
    """The single ones, in lists that are named by the views over `sample.detail`."""
    cpu = sieve.members(found.get("cpu"))
    zones = sieve.series(found.get("temperatures"), MAX_SERIES)
    detail: dict[str, Any] = {
        "cores": [sieve.number(one, 100.0) for one in sieve.items(cpu.get("cores"), MAX_CORES)],
        "temperatures": {name: _degrees(sieve, one) for name, one in zones},
        "throttled": _words(sieve, sieve.members(found.get("throttling")).get("now")),
        "problems": _words(sieve, found.get("problems")),
        "engine": sieve.text(found.get("engine"), 300),
        "agent": _agent(sieve, sieve.members(found.get("agent"))),
    }
    for name, (path, keys) in _SINGLE.items():
        value: Any = found
        for step in path:
            value = sieve.members(value).get(step)
        detail[name] = _single(sieve, value, keys)
    return {key: value for key, value in detail.items() if value}


def _single(sieve: Sieve, value: object, keys: tuple[str, ...]) -> dict[str, list[float | None]]:
    single = {}
    for name, one in sieve.series(value, MAX_SERIES):
        members = sieve.members(one)
        single[name] = [sieve.number(members.get(key), MAX_INTEGER) for key in keys]
    return single


def _words(sieve: Sieve, value: object) -> list[str]:
    return [sieve.text(one) for one in sieve.items(value, 20)]


def _agent(sieve: Sieve, found: dict[str, Any]) -> dict[str, float]:
    """What the agent says of itself, where that is out of the ordinary."""
    figures = {key: sieve.number(found.get(key)) for key in ("missed", "unwritten")}
    return {key: figure for key, figure in figures.items() if figure}


def _containers(sieve: Sieve, found: dict[str, Any]) -> list[Container]:
    return [
        Container(
            name,
            sieve.text(one.get("model")),
            sieve.text(one.get("release")),
            sieve.text(one.get("digest")),
            sieve.text(one.get("state"), 20),
            sieve.text(one.get("health"), 20),
            sieve.integer(one.get("restarts"), 2**31),
            sieve.number(one.get("cpu")),
            sieve.integer(one.get("memory"), MAX_BYTES),
        )
        for name, value in sieve.series(found.get("containers"), MAX_CONTAINERS)
        for one in [sieve.members(value)]
    ]
