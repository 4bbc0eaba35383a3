"""Every picture of a fleet, once: Grafana, the pages, the report and the terminal draw from here.

How a value travels from SQL to each of them. The SQL is written for nobody in particular:

- `:from` and `:to` are the range, whole epoch seconds; it is from `:from` up to, not at, `:to`.
- `IN (:node)` (`:group`, `:model`, `:release`) is a chosen set. Brackets around one mean the set.
- Results are as `Panel` says; times are epoch seconds, REAL or INTEGER, ascending in charts;
  an expression that may be whole by chance is CAST AS REAL, since readers type a column by its
  first value.

`evc.pure.panels.rendering` writes that for each reader:

- Grafana: `$__from / 1000`, and `IN (${node:sqlstring})`, in quotes that SQLite understands.
- pages (Datasette): `:from`, `:to` and `:node` as named parameters; an empty one means all.
- terminal and report: `bound` gives the SQL and the values for the store.

No panel names a node: variables do, and what they offer is asked of the database.
"""

from __future__ import annotations

from evc.pure.panels.fleet import FLEET
from evc.pure.panels.model import Dashboard, Kind, Level, Panel, State, Threshold, Unit, Variable
from evc.pure.panels.models import MODELS
from evc.pure.panels.node import NODE
from evc.pure.panels.registry import REGISTRY

__all__ = ["DASHBOARDS", "Dashboard", "Kind", "Level", "Panel", "State", "Threshold", "Unit",
           "Variable"]  # fmt: skip

DASHBOARDS = (FLEET, NODE, MODELS, REGISTRY)
