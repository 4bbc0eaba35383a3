"""The dashboards of a range as one file that needs nothing else: to mail, to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evc.doors import drawing
from evc.doors import fleet as fleets
from evc.doors import store as stores
from evc.doors.fleet import Fleet
from evc.doors.store import Store
from evc.pure.inventory import Node
from evc.pure.panels import DASHBOARDS, Dashboard
from evc.pure.pictures import pages
from evc.pure.pictures.choices import Range
from evc.pure.pictures.pages import Part
from evc.runbooks import nodes as inventory
from evc.runbooks import pictures

MOST_NODES = 20  # with a part of their own: a file that mail takes


@dataclass(frozen=True)
class Written:
    """A report: its size, and what is not in it ('' for nothing)."""

    bytes: int
    left_out: str


def write(fleet: Fleet, selector: str | None, span: Range, path: Path) -> Written:
    """Write the report on the chosen nodes to `path`; raises EvcError."""
    with stores.reading(fleet.database, fleets.share() / "db") as store:
        nodes = inventory.chosen(store, selector)
        parts = [part for one in DASHBOARDS for part in _parts(store, one, nodes, span)]
    title, left_out = f"EVC report: {fleet.root.name}", _left_out(nodes)
    fleets.replace(path, pages.report(parts, span, title, drawing.style(), left_out))
    return Written(path.stat().st_size, left_out)


def _left_out(nodes: Sequence[Node]) -> str:
    if len(nodes) <= MOST_NODES:
        return ""
    what = (
        f"No part of its own for each of the {len(nodes)} nodes: that is for {MOST_NODES} at most"
    )
    return f"{what}. `evc report --on SELECTOR` chooses them."


def _parts(store: Store, one: Dashboard, nodes: Sequence[Node], span: Range) -> list[Part]:
    """A dashboard of all the nodes, or, where it is about one, of each."""
    if all(variable.many for variable in one.variables):
        return [_part(store, one, one.title, nodes, span)]
    each = nodes if len(nodes) <= MOST_NODES else []
    return [_part(store, one, f"{one.title} {node.name} {node.title}", [node], span)
            for node in each]  # fmt: skip


def _part(store: Store, one: Dashboard, heading: str, nodes: Sequence[Node], span: Range) -> Part:
    wanted = {"node": [node.name for node in nodes]}
    chosen = pictures.chosen(pictures.choices(store.rows, one, wanted, span))
    drawn = [(panel, pictures.picture(store.rows, panel, chosen, span)) for panel in one.panels]
    return heading, drawn
