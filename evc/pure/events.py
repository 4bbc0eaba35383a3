"""What models print as JSON lines, and an agent passes on: predictions, and their own metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evc.pure.sieve import Sieve

MAX_EVENTS, MAX_RESULTS = 2000, 200
LATENCY = "latency_ms"


class Released(Protocol):
    """What runs a release of a model."""

    @property
    def model(self) -> str: ...
    @property
    def release(self) -> str: ...


@dataclass(frozen=True)
class Prediction:
    """One result of a prediction."""

    clock: float
    model: str
    release: str
    name: str
    probability: float
    box: str


@dataclass(frozen=True)
class Metric:
    """One number that a model gave a name."""

    clock: float
    model: str
    release: str
    name: str
    value: float


def read(
    sieve: Sieve, value: object, containers: Sequence[Released]
) -> tuple[tuple[Prediction, ...], tuple[Metric, ...]]:
    """The predictions and metrics among a sample's events; `clock` is the node's own."""
    releases = {one.model: one.release for one in containers}
    predictions: list[Prediction] = []
    metrics: list[Metric] = []
    for one in sieve.items(value, MAX_EVENTS):
        event = sieve.members(one)
        model = sieve.text(event.get("model"))
        clock = sieve.number(event.get("time"), 1e11) or 0.0
        said_by = (clock, model, releases.get(model, ""))
        predictions += _results(sieve, event, *said_by)
        metrics += _metrics(sieve, event, *said_by)
    return tuple(predictions), tuple(metrics)


def _results(
    sieve: Sieve, event: dict[str, Any], clock: float, model: str, release: str
) -> list[Prediction]:
    found = []
    for one in sieve.items(event.get("results"), MAX_RESULTS):
        result = sieve.members(one)
        name, probability = sieve.text(result.get("class")), result.get("probability")
        sure = sieve.number(probability, 1.0)
        if name and sure is not None:
            found.append(Prediction(clock, model, release, name, sure, _box(sieve, result)))
    return found


def _box(sieve: Sieve, result: dict[str, Any]) -> str:
    """Left, top, width and height as JSON, '' when there is none."""
    box = [sieve.number(one, 1e9, least=-1e9) for one in sieve.items(result.get("box"), 4)]
    return json.dumps(box) if len(box) == 4 and None not in box else ""


def _metrics(
    sieve: Sieve, event: dict[str, Any], clock: float, model: str, release: str
) -> list[Metric]:
    """A metric's value, or how long a prediction took."""
    if event.get("event") == "metric":
        name, value = sieve.text(event.get("name")), event.get("value")
    else:
        name, value = LATENCY, event.get(LATENCY)
    found = sieve.number(value, 1e300, least=-1e300)
    return [Metric(clock, model, release, name, found)] if name and found is not None else []
