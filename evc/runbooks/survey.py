"""Look at nodes before anything is decided about them: what is there, and what they are now."""

from __future__ import annotations

from collections.abc import Sequence

from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.inventory import Node
from evc.runbooks import assignments, registry
from evc.runbooks import nodes as inventory
from evc.runbooks.probe import Answer, probe
from evc.runbooks.progress import Progress

Answers = dict[str, Answer]


def survey(
    fleet: Fleet, store: Store, model: str, nodes: Sequence[Node], progress: Progress
) -> tuple[list[Node], Answers]:
    """Ask `nodes` what is there of `model`: they as they are now, and the answers by name.

    Nodes that cannot be used are not asked. A board that was upgraded, or a camera that was
    plugged in, counts from here on.
    """
    asked = [node for node in nodes if not node.unusable]
    progress.say(f"asking {len(asked)} node{'s' if len(asked) != 1 else ''} what is there")
    looked = assignments.digests(store, asked, model)
    answers = probe(fleet, asked, looked, [registry.load(fleet).place])
    inventory.refresh(store, answers)
    names = {node.name for node in nodes}
    return [node for node in inventory.everyone(store) if node.name in names], answers
