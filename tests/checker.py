"""What a node wrote, past EVC, against what the store holds: by boot, number and payload's hash."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evc.doors.store import Store
from evc.pure.samples import FIGURES

Key = tuple[str, int]
_STORED = f"""
SELECT boot, seq, {", ".join(("up", *FIGURES))} FROM sample
JOIN boot ON boot.id = boot_id JOIN logged_node ON logged_node.id = sample.node_id WHERE name = ?
"""
_SAID = """
SELECT model, class AS what, probability AS number FROM prediction WHERE node = :node UNION ALL
SELECT model, metric.name, value FROM metric JOIN logged_node ON logged_node.id = node_id
WHERE logged_node.name = :node
"""


def ring_lines(folder: Path) -> dict[Key, str]:
    """(boot, number) → the hash of its payload, of each whole line in a ring."""
    texts = [path.read_bytes() for path in sorted(folder.glob("*.log"))]
    return hashed(line for text in texts for line in text.split(b"\n")[:-1])


def hashed(lines: Iterable[bytes]) -> dict[Key, str]:
    """The same of lines of a ring, as `CHECKSUM JSON`."""
    values = [json.loads(line.partition(b" ")[2]) for line in lines]
    return {(value["boot"], value["seq"]): _hash(_payload(value)) for value in values}


def said(lines: Iterable[bytes]) -> Counter[tuple[str, str, float]]:
    """How often models said what, in lines of a ring: (model, class or metric, number)."""
    found = Counter[tuple[str, str, float]]()
    for line in lines:
        for event in json.loads(line.partition(b" ")[2])["sample"].get("events", []):
            results = [(one["class"], one["probability"]) for one in event.get("results", [])]
            if event["event"] == "metric":
                results.append((event["name"], event["value"]))
            found.update((event["model"], what, float(number)) for what, number in results)
    return found


def unsaid_and_double(
    store: Store, node: str, wrote: Counter[tuple[str, str, float]]
) -> tuple[list[Any], list[Any]]:
    """What models said on a node and the store has not as often; what it has more often."""
    rows = store.rows(_SAID, {"node": node})
    held = Counter((row["model"], row["what"], row["number"]) for row in rows)
    return sorted(wrote - held), sorted(one for one in wrote if held[one] > wrote[one])


def missing_and_double(
    store: Store, node: str, wrote: Mapping[Key, str]
) -> tuple[list[Key], list[Key]]:
    """What a node wrote and the store has not, or not so; what the store has more than once."""
    rows = store.rows(_STORED, (node,))
    held = Counter((row["boot"], row["seq"]) for row in rows)
    hashes = {
        (row["boot"], row["seq"]): _hash([row[name] for name in ("up", *FIGURES)]) for row in rows
    }
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


def _payload(line: Any) -> list[Any]:
    """What a line of a ring says, in the order of the store's columns."""
    sample = line["sample"]
    cpu, memory, network, io = (sample.get(one) or {} for one in ("cpu", "memory", "network", "io"))
    disk = sample.get("disks", {}).get(sample.get("docker_disk"), {})
    memory_names = ("used", "total", "available", "swap_total", "swap_used")
    return [
        line["up"], cpu.get("idle"), *sample.get("load", [None] * 3),
        *[memory.get(name) for name in memory_names], disk.get("used"), disk.get("available"),
        max(sample.get("temperatures", {}).values(), default=None),
        network.get("rx"), network.get("tx"), io.get("read"), io.get("write"),
    ]  # fmt: skip
