"""How a command ended, on each node and as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from evc.pure.errors import Exit

Word = Literal["done", "nothing", "pending", "failed"]


@dataclass(frozen=True)
class NodeOutcome:
    """What a command did on one node; `pending` means it could not be asked.

    `url` is where the model is reached there, when it serves; `warnings` are what will be in the
    way later, each with its remedy.
    """

    outcome: Word
    actions: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    logs: str = ""
    url: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return self.outcome in ("done", "nothing")

    def as_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "changed": bool(self.actions) and self.well,
            "actions": list(self.actions),
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
            "url": self.url,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Outcome:
    """What a command did: by node, and which release it was about."""

    nodes: dict[str, NodeOutcome] = field(default_factory=dict)
    release: str = ""
    changed_elsewhere: bool = False

    @property
    def word(self) -> str:
        """`done`, `nothing`, `partial` or `failed`."""
        well = [one.well for one in self.nodes.values()]
        if not all(well):
            return "partial" if any(well) else "failed"
        idle = all(one.outcome == "nothing" for one in self.nodes.values())
        return "nothing" if idle and not self.changed_elsewhere else "done"

    @property
    def exit(self) -> Exit:
        return {"partial": Exit.PARTIAL, "failed": Exit.FAILED}.get(self.word, Exit.DONE)

    def as_json(self) -> dict[str, Any]:
        return {
            "outcome": self.word,
            "nodes": {name: one.as_json() for name, one in self.nodes.items()},
            "release": self.release,
        }


def joined(first: NodeOutcome, then: NodeOutcome) -> NodeOutcome:
    """Two steps on one node as one; what failed first is what failed, and its reason counts."""
    word: Word = then.outcome if not then.well or then.outcome == "done" else first.outcome
    return NodeOutcome(
        word if first.well else first.outcome,
        first.actions + then.actions,
        (then.reason or first.reason) if first.well else (first.reason or then.reason),
        first.seconds + then.seconds,
        then.logs or first.logs,
        then.url or first.url,
        first.warnings + then.warnings,
    )


def merged(parts: Iterable[dict[str, NodeOutcome]]) -> dict[str, NodeOutcome]:
    """The outcomes of consecutive steps, by node."""
    whole: dict[str, NodeOutcome] = {}
    for part in parts:
        for name, outcome in part.items():
            whole[name] = joined(whole[name], outcome) if name in whole else outcome
    return whole
