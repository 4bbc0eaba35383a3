"""What a node wrote, past EVC, against what the store holds: by boot, number and payload's hash."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evc.doors.store import Store

Key = tuple[str, int]
# Column of `sample` → where it lies in a line of the ring.
PAYLOAD = {
    "up": ("up",),
    "idle": ("sample", "cpu", "idle"),
    "memory_used": ("sample", "memory", "used"),
    "memory_available": ("sample", "memory", "available"),
    "rx": ("sample", "network", "rx"),
    "tx": ("sample", "network", "tx"),
    "disk_write": ("sample", "io", "write"),
}
_STORED = f"""
SELECT boot, seq, {", ".join(PAYLOAD)} FROM sample
JOIN boot ON boot.id = boot_id JOIN logged_node ON logged_node.id = sample.node_id WHERE name = ?
"""


def ring_lines(folder: Path) -> dict[Key, str]:
    """(boot, number) → the hash of its payload, of each whole line in a ring."""
    texts = [path.read_bytes() for path in sorted(folder.glob("*.log"))]
    return hashed(line for text in texts for line in text.split(b"\n")[:-1])


def hashed(lines: Iterable[bytes]) -> dict[Key, str]:
    """The same of lines of a ring, as `CHECKSUM JSON`."""
    found = {}
    for line in lines:
        value = json.loads(line.partition(b" ")[2])
        found[value["boot"], value["seq"]] = _hash([_at(value, way) for way in PAYLOAD.values()])
    return found


def missing_and_double(
    store: Store, node: str, wrote: Mapping[Key, str]
) -> tuple[list[Key], list[Key]]:
    """What a node wrote and the store has not, or not so; what the store has more than once."""
    rows = store.rows(_STORED, (node,))
    held = Counter((row["boot"], row["seq"]) for row in rows)
    hashes = {(row["boot"], row["seq"]): _hash([row[name] for name in PAYLOAD]) for row in rows}
    missing = [key for key, payload in wrote.items() if hashes.get(key) != payload]
    return sorted(missing), sorted(key for key, count in held.items() if count > 1)


def covered(store: Store, node: str) -> list[Key]:
    """(boot, number) of each sample that a row of the store stands for, as often as one does."""
    rows = store.rows(
        "SELECT boot, seq, covers, json_extract(detail, '$.minute.first') AS first FROM sample"
        " JOIN boot ON boot.id = boot_id JOIN logged_node ON logged_node.id = sample.node_id"
        " WHERE name = ?", (node,))  # fmt: skip
    found = list[Key]()
    for row in rows:
        first = row["seq"] if row["first"] is None else row["first"]
        found += [(row["boot"], seq) for seq in range(first, row["seq"] + 1)]
        assert row["seq"] + 1 - first == (row["covers"] or 1)
    return found


def _hash(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps([_plain(value) for value in values]).encode()).hexdigest()


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def _at(value: Any, way: tuple[str, ...]) -> Any:
    for step in way:
        value = value.get(step) if isinstance(value, dict) else None
    return value
