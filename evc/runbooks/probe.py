"""Ask nodes what is there really: one play on all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evc.doors.ansible import Result
from evc.doors.fleet import Fleet
from evc.pure import clocks, observations
from evc.pure.errors import EvcError
from evc.pure.inventory import Node
from evc.pure.observations import Observation
from evc.pure.outcomes import Word
from evc.runbooks import generations, host_keys, plays

_REFUSED = re.compile("Host key verification failed|HOST IDENTIFICATION HAS CHANGED")


ANY_TIME = (0.0, math.inf)


@dataclass(frozen=True)
class Silent:
    """A node that could not be asked, and why; `outcome` is what that means for a rollout."""

    reason: str
    reachable: bool = False
    outcome: Word = "pending"


Answer = Observation | Silent


def probe(
    fleet: Fleet,
    nodes: Sequence[Node],
    images: Mapping[str, Sequence[str]] | None = None,
    registries: Sequence[str] = (),
) -> dict[str, Answer]:
    """Each node's answer; `images` are the digests to look for, by node.

    `registries` are the places (HOST:PORT) that the nodes try to reach. Raises BadInput when
    another controller has taken the fleet over.
    """
    if not nodes:
        return {}
    orders = {
        node.name: {
            "images": list((images or {}).get(node.name, [])),
            "registries": list(registries),
        }
        for node in nodes
    }
    results = plays.play(fleet, "probe", nodes, orders=orders)
    answers = {name: _answer(result) for name, result in results.items()}
    seen = {name: one.controller for name, one in answers.items() if isinstance(one, Observation)}
    generations.compare(fleet, seen)
    return answers | _strangers(fleet, nodes, results)


def _strangers(
    fleet: Fleet, nodes: Sequence[Node], results: Mapping[str, Result]
) -> dict[str, Answer]:
    """Nodes that show another host key than the pinned one, with both fingerprints."""
    refused = [node for node in nodes if _REFUSED.search(results[node.name].message)]
    changes = host_keys.changes(fleet, refused)
    return {name: Silent(reason, outcome="failed") for name, reason in changes.items()}


def _answer(result: Result) -> Answer:
    if not result.reachable:
        return Silent(f"unreachable: {result.message}")
    task = result.tasks.get("probe")
    if result.late:  # putting it back would hang as well
        why = f"EVC's program did not answer within {plays.PATIENCE_SECONDS} s"
        remedy = "`evc node exec` shows whether the machine hangs, `evc node add` installs it anew"
        return Silent(f"{why}: {remedy}", outcome="failed")
    if task is None or task.get("rc") != 0:
        said = result.message if task is None else str(task.get("stderr", ""))[-300:]
        return Silent(f"EVC's program does not run there: {said}", reachable=True)
    try:
        seen = observations.read(str(task.get("stdout", "")))
        off = clocks.offset(seen.clock, *result.times.get("probe", ANY_TIME))
        return seen.model_copy(update={"clock_offset": round(off, 1)})
    except EvcError as error:
        return Silent(error.message, reachable=True)
