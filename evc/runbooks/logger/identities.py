"""The rows that what nodes send refers to: nodes, boots and containers, and when each came last.

One that has not come for as long as samples are kept has no samples any more, and is pruned.
"""

from __future__ import annotations

import time

from evc.doors.store import Store, Values
from evc.pure.samples import Container

MAX_KNOWN = 20_000
NOTED_SECONDS = 3600.0  # how late it is noted that one came again

_NODE = """
INSERT INTO logged_node (name) VALUES (?) ON CONFLICT DO UPDATE SET name = excluded.name
RETURNING id
"""
_BOOT = """
INSERT INTO boot (node_id, boot, seen) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET seen = excluded.seen RETURNING id
"""
_CONTAINER = """
INSERT INTO container (node_id, name, model, release, digest, seen) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET model = excluded.model, release = excluded.release,
  digest = excluded.digest, seen = excluded.seen RETURNING id
"""


class Identities:
    """Their ids, made where they are not there yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.forget()

    def forget(self) -> None:
        """Ask the database again."""
        self._nodes: dict[str, int] = {}
        self._boots: dict[tuple[int, str], int] = {}
        self._containers: dict[tuple[int, str], tuple[tuple[str, str, str], int]] = {}
        self._since = time.monotonic()

    def limit(self) -> None:
        """Forget what is much, and what may have been pruned since."""
        many = len(self._boots) + len(self._containers) > MAX_KNOWN
        if many or time.monotonic() > self._since + NOTED_SECONDS:
            self.forget()

    def node(self, name: str) -> int:
        if name not in self._nodes:
            self._nodes[name] = self._id(_NODE, (name,))
        return self._nodes[name]

    def boot(self, node: int, boot: str) -> int:
        key = (node, boot)
        if key not in self._boots:
            self._boots[key] = self._id(_BOOT, (*key, time.time()))
        return self._boots[key]

    def container(self, node: int, one: Container) -> int:
        key, what = (node, one.name), (one.model, one.release, one.digest)
        known, row = self._containers.get(key, (None, 0))
        if what != known:
            row = self._id(_CONTAINER, (*key, *what, time.time()))
            self._containers[key] = (what, row)
        return row

    def _id(self, sql: str, values: Values) -> int:
        row = self._store.row(sql, values)
        assert row
        return int(row["id"])
