"""Send an image to a served model through the node's SSH connection, and keep what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evc.doors import models, ssh
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput, EvcError
from evc.pure.inventory import Node
from evc.runbooks import plays, releases
from evc.runbooks.probe import Answer, Silent, probe
from evc.runbooks.releases import Built

MAX_IMAGE_BYTES = 50_000_000
TIMEOUT_SECONDS = 60.0


class Result(BaseModel):
    """One thing that a model saw; `box` is left, top, width, height in pixels."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)
    name: Annotated[str, Field(alias="class", max_length=200)]
    probability: Annotated[float, Field(ge=0, le=1)]
    box: Annotated[list[float], Field(max_length=4)] | None = None


class Results(BaseModel):
    """A model's answer."""

    results: Annotated[list[Result], Field(max_length=10_000)]


@dataclass(frozen=True)
class Prediction:
    """What one node's model said, or the problem."""

    node: str
    model: str
    release: str
    latency_ms: float = 0.0
    results: tuple[Result, ...] = ()
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "model": self.model,
            "release": self.release,
            "latency_ms": round(self.latency_ms, 1),
            "results": [one.model_dump(by_alias=True, exclude_none=True) for one in self.results],
            **({"problem": self.problem} if self.problem else {}),
        }


def predict(
    fleet: Fleet, store: Store, model: str, nodes: Sequence[Node], image: Path
) -> list[Prediction]:
    """Ask `nodes`, all at once, what `model` sees in `image`, by the release that each serves.

    Results are stored.
    """
    data, answers = _read(image), probe(fleet, [node for node in nodes if not node.unusable])

    async def one(node: Node) -> Prediction:
        try:
            built = _serving(store, model, answers.get(node.name, Silent(node.unusable)))
            return await _ask(fleet, built, node, data)
        except EvcError as error:
            return Prediction(node.name, model, "", problem=str(error))

    async def everyone() -> list[Prediction]:
        return await asyncio.gather(*[one(node) for node in nodes])

    predictions = asyncio.run(everyone())
    _keep(store, predictions, image.name)
    return predictions


def _read(image: Path) -> bytes:
    if not image.is_file():
        raise BadInput(f"{image} is not a file")
    if image.stat().st_size > MAX_IMAGE_BYTES:
        raise BadInput(f"{image} is larger than {MAX_IMAGE_BYTES:,} bytes")
    return image.read_bytes()


def _serving(store: Store, model: str, answer: Answer) -> Built:
    """The release of `model` that a node serves, as it says; raises EvcError."""
    if isinstance(answer, Silent):
        raise EvcError(answer.reason)
    there = [one for one in answer.models if one.model == model and one.running]
    if not there:
        raise EvcError(f"{model} does not serve there", "`evc status`, then evc run or evc sync")
    built = releases.labelled(store, model, there[0].release)
    if built is None:
        raise EvcError(f"{there[0].release} serves there, which is none of this fleet's releases")
    return built


async def _ask(fleet: Fleet, built: Built, node: Node, data: bytes) -> Prediction:
    model, release, serve = built.release.model, built.release.label, built.project.serve
    if not serve.predict or not serve.port:
        why = f"{release} does not say where it takes predictions"
        raise EvcError(why, "serve: {port: 8000, predict: /predict} in its config")
    path, port = serve.predict, built.project.on(node.name).serve.published
    try:
        async with ssh.forwarded_port(plays.target(fleet, node), port) as local:
            began = time.monotonic()
            text = await models.post(f"http://127.0.0.1:{local}{path}", data, TIMEOUT_SECONDS)
            latency = (time.monotonic() - began) * 1000
        results = Results.model_validate_json(text).results
    except EvcError as error:
        return Prediction(node.name, model, release, problem=error.message)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"its answer is not a prediction: {first['loc']}: {first['msg']}"[:300]
        return Prediction(node.name, model, release, problem=problem)
    return Prediction(node.name, model, release, latency, tuple(results))


def _keep(store: Store, predictions: Sequence[Prediction], image: str) -> None:
    now = time.time()
    with store.transaction():
        for one in predictions:
            if one.problem:
                continue
            store.write(
                "INSERT INTO prediction_input (time, node, image) VALUES (?, ?, ?)",
                (now, one.node, image),
            )
            for result in one.results:
                store.write(
                    "INSERT INTO prediction (time, node, model, release, class, probability, box)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        now,
                        one.node,
                        one.model,
                        one.release,
                        result.name,
                        result.probability,
                        str(result.box or ""),
                    ),
                )
