"""The neutral SQL of panels, as each reader of it takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from evc.pure.panels.model import Dashboard, Variable

_SET = re.compile(r"\(:([a-z]+)\)")
_BOUND = re.compile(r":(from|to)\b")


def for_grafana(sql: str) -> str:
    """With Grafana's own variables, which it replaces in the browser or an alert; see `check`."""
    whole = _SET.sub(r"(${\1:sqlstring})", sql)
    return _BOUND.sub(r"($__\1 / 1000)", whole)


def by_grafana(text: str, since: int, until: int, chosen: Mapping[str, Sequence[str]]) -> str:
    """What Grafana's browser makes of `for_grafana`'s text; times in epoch milliseconds."""
    for name, values in chosen.items():
        listed = ",".join("'" + one.replace("'", "''") + "'" for one in values)
        text = text.replace(f"${{{name}:sqlstring}}", listed)
    return text.replace("$__from", str(since)).replace("$__to", str(until))


def for_page(sql: str, dashboard: Dashboard) -> str:
    """With one named parameter each; a parameter that is '' (nothing chosen) means all there is."""
    known = {variable.name: variable for variable in dashboard.variables}
    return _SET.sub(lambda found: f"({_all_or_one(known[found[1]], dashboard)})", sql)


def _all_or_one(variable: Variable, dashboard: Dashboard) -> str:
    offered = for_page(variable.sql, dashboard)
    return f"SELECT value FROM ({offered}) WHERE :{variable.name} IN ('', value)"


def bound(
    sql: str, since: float, until: float, chosen: Mapping[str, Sequence[str]]
) -> tuple[str, dict[str, object]]:
    """SQL and its values for the store: a range in epoch seconds, and the chosen sets by name."""
    names = [found[1] for found in _SET.finditer(sql)]
    sets = {name: json.dumps(list(chosen[name])) for name in names}
    whole = _SET.sub(r"(SELECT value FROM json_each(:\1))", sql)
    return whole, {"from": int(since), "to": int(until), **sets}
