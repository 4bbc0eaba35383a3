"""What the logger knows of nodes last: their newest sample, and since when they can be reached."""

from __future__ import annotations

import time
from typing import Any

from evc.doors.store import Store
from evc.pure.links import day_of
from evc.pure.samples import FIGURES

_SAMPLE = f"""
SELECT sample.time, up AS uptime, {", ".join(FIGURES)} FROM sample
JOIN logged_node ON logged_node.id = node_id WHERE name = ? ORDER BY sample.id DESC LIMIT 1
"""
_SPAN = """
SELECT up, since, until, reason FROM reachability
JOIN logged_node ON logged_node.id = node_id WHERE name = ? ORDER BY since DESC LIMIT 1
"""


_LINK = """
SELECT bytes FROM link JOIN logged_node ON logged_node.id = node_id WHERE name = ? AND day = ?
"""


def latest(store: Store, node: str) -> dict[str, Any]:
    """`sample`, `sample_age_s`, `reached` and `link_bytes_today` (UTC; a metered node's) of a node.

    Each is None when nothing was recorded.
    """
    sample, span = store.row(_SAMPLE, (node,)), store.row(_SPAN, (node,))
    link = store.row(_LINK, (node, day_of(time.time())))
    return {
        "sample_age_s": round(max(0.0, time.time() - sample["time"]), 1) if sample else None,
        "sample": sample,
        "reached": {**span, "up": bool(span["up"])} if span else None,
        "link_bytes_today": link["bytes"] if link else None,
    }
