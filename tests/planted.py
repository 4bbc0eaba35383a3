"""Nodes in a database, and what each picture must show of the first, and never of the second.

Written by the product's own logger and rollups, so that each range finds it on its own rung.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from evc.doors.store import Store
from evc.pure import samples
from evc.pure.clocks import Moment
from evc.pure.inventory import Node
from evc.pure.samples import Sample
from evc.runbooks import nodes, rollups
from evc.runbooks.logger.record import Reached, Received, Recorder

NOW = 1_700_000_000 - 1_700_000_000 % 86400 + 43_000
HOUR, DAY, MONTH = 3600, 86400, 30 * 86400
ALPHA, BETA, NEW = "alpha", "beta", "new"
TITLE = "서울 카메라"
RELEASE = "1.0+" + "a" * 12
FISH_RELEASE = "2.0+" + "f" * 12
# Panel → the column and value that tell alpha (or `lamp`, where a model is chosen) from beta.
EXPECTED: dict[str, tuple[str, Any]] = {
    "fleet-nodes": ("value", 1),
    "fleet-up": ("value", 1),
    "fleet-down": ("value", 0),
    "fleet-unknown": ("value", 1),
    "fleet-alerting": ("value", 1),
    "fleet-hottest": ("value", 48.5),
    "fleet-map": ("latitude", 37.5665),
    "fleet-table": ("cpu", 41.25),
    "fleet-cpu-groups": ("value", 41.25),
    "fleet-cpu-nodes": ("value", 41.25),
    "fleet-memory-groups": ("value", 37.5),
    "fleet-memory-nodes": ("value", 37.5),
    "fleet-temperature-groups": ("value", 48.5),
    "fleet-temperature-nodes": ("value", 48.5),
    "fleet-disk-groups": ("value", 25.0),
    "fleet-disk-nodes": ("value", 25.0),
    "fleet-received-groups": ("value", 1234.5),
    "fleet-received-nodes": ("value", 1234.5),
    "fleet-sent-groups": ("value", 321.25),
    "fleet-sent-nodes": ("value", 321.25),
    "fleet-controller": ("value", 7.25),
    "fleet-logger": ("value", 5_250_000.0),
    "fleet-alerts": ("text", "alpha is hot"),
    "node-state": ("value", 1),
    "node-age": ("value", 40.0),
    "node-uptime": ("value", 864_000.0 - 40.0),
    "node-cpu-now": ("value", 41.25),
    "node-memory-now": ("value", 37.5),
    "node-disk-now": ("value", 25.0),
    "node-reachability": ("time", NOW - 500.0),
    "node-cpu": ("value", 41.25),
    "node-memory": ("value", 37.5),
    "node-load": ("value", 0.375),
    "node-temperature": ("value", 48.5),
    "node-traffic": ("value", 1234.5),
    "node-disk-io": ("value", 777.5),
    "node-full": ("value", 12.5),
    "node-cores": ("value", 38.5),
    "node-zones": ("value", 48.5),
    "node-mounts": ("value", 7.5e9),
    "node-interfaces": ("value", 1234.5),
    "node-sent": ("value", 321.25),
    "node-disk-reads": ("value", 733.5),
    "node-disk-writes": ("value", 511.25),
    "node-gpu": ("value", 66.5),
    "node-gpu-memory": ("value", 1_500_000_000.0),
    "node-gpu-temperature": ("value", 57.5),
    "node-gpu-power": ("value", 9.75),
    "node-models": ("reason", "alpha serves"),
    "node-containers": ("cpu", 150.5),
    "node-container-cpu": ("value", 150.5),
    "node-container-memory": ("value", 32_000_000.0),
    "node-facts": ("value", TITLE),
    "node-alerts": ("text", "alpha is hot"),
    "node-downs": ("reason", "alpha was cut off"),
    "node-missing": ("count", 77),
    "node-link": ("bytes", 1_234_567),
    "models-classes": ("value", {HOUR: 3, DAY: 3, MONTH: 9}),
    "models-confidence": ("value", 0.875),
    "models-latency": ("value", 41.5),
    "models-metrics": ("value", 12.5),
    "models-drift": ("week", 75.0),
    "models-releases": ("latency", 41.5),
    "models-last": ("confidence", 0.875),
    "models-inputs": ("image", "alpha.jpg"),
    "rollouts-deployments": ("serving", 1),
    "rollouts-nodes": ("reason", "alpha serves"),
    "rollouts-progress": ("status", "evc deploy lamp --on alpha done"),
    "rollouts-history": ("command", "evc deploy lamp --on alpha"),
    "registry-releases": ("size", 123_456_789),
    "registry-images": ("digest", "sha256:1a"),
    "registry-sizes": ("value", 123_456_789),
}
# Where beta's own answer would be the same, nothing is chosen instead.
AGAINST_NOTHING = {"fleet-nodes"}
OF_A_NEW_NODE = {"fleet-unknown"}
OF_THE_CONTROLLER = {"fleet-controller", "fleet-logger"}  # is there whatever is chosen
BY_MODEL = {"registry-releases", "registry-images", "registry-sizes"}


def value(panel: str, seconds: int) -> tuple[str, Any]:
    """The column and value of a panel that looks back so far."""
    column, found = EXPECTED[panel]
    return column, found[seconds] if isinstance(found, dict) else found


def there(panel: str, alpha: bool) -> bool:
    """Whether a panel's value must be there, where alpha is chosen or is not."""
    return alpha or panel in OF_THE_CONTROLLER


def chosen(panel: str, alpha: bool) -> dict[str, list[str]]:
    """What is chosen for a panel so that alpha's value is there, or is not."""
    everything = {
        "group": ["north", "south", "-"],
        "node": [ALPHA, BETA, NEW],
        "model": ["lamp", "fish"],
        "release": [RELEASE, FISH_RELEASE],
    }
    if panel in BY_MODEL:
        return everything | {"model": ["lamp" if alpha else "fish"]}
    without: list[str] = [] if panel in AGAINST_NOTHING else [BETA]
    first = NEW if panel in OF_A_NEW_NODE else ALPHA
    return everything | {"node": [first] if alpha else without}


def plant(store: Store) -> None:
    """Two nodes and all of theirs, and one that was never heard."""
    nodes.save(store, [
        Node(0, ALPHA, "192.0.2.1", title=TITLE, groups=("north",)),
        Node(0, BETA, "192.0.2.2", groups=("south",)),
        Node(0, NEW, "192.0.2.3"),
    ])  # fmt: skip
    store.write("UPDATE node SET registered_at = ?", (NOW - MONTH,))
    places = [(ALPHA, "시청", 37.5665, 126.978), (BETA, "부산", 35.1796, 129.0756)]
    store.write_all("INSERT INTO place SELECT id, ?2, ?3, ?4 FROM node WHERE name = ?1", places)
    _record(store)
    _release(store)
    _done(store)


def _record(store: Store) -> None:
    recorder = Recorder(store)
    moments = [*range(NOW - MONTH // 2, NOW - HOUR, HOUR), *range(NOW - HOUR + 20, NOW, 60)]
    for node, down in ((ALPHA, False), (BETA, True)):
        recorder.write([
            Reached(node, False, f"{node} was cut off", NOW - 600 - 60 * down),
            Reached(node, True, "", NOW - 500 - 60 * down),
            *([Reached(node, False, "it is off", NOW - 60)] if down else []),
        ])  # fmt: skip
        recorder.write([_received(node, moment - 30 * down) for moment in moments])
    recorder.seen(NOW - 5)
    rollups.roll(store)
    store.write_all(
        "INSERT INTO gap (node_id, first, last, reason, time)"
        " SELECT id, 1, ?, 'fell', ? FROM logged_node WHERE name = ?",
        [(77, NOW - 300, ALPHA), (55, NOW - 300, BETA)],
    )
    carried = [(1_234_567, ALPHA), (7_654_321, BETA)]
    store.write_all("INSERT INTO link SELECT id, ?3, ?1 FROM logged_node WHERE name = ?2",
                    [(*one, NOW - NOW % DAY) for one in carried])  # fmt: skip
    store.write_all("INSERT INTO controller VALUES (?, 7.25, 0.5, 33.0, 1, 3, 2.0, 60000000,"
                    " 5250000)", [(moment,) for moment in moments])  # fmt: skip
    alerts = [(ALPHA, "hot", "alpha is hot", NOW - 900, None),
              (BETA, "cold", "beta was cold", NOW - 900, NOW - 800)]  # fmt: skip
    store.write_all(
        "INSERT INTO alert (node, kind, text, since, until) VALUES (?, ?, ?, ?, ?)", alerts
    )
    inputs = [(NOW - 100, ALPHA, "alpha.jpg"), (NOW - 100, BETA, "beta.jpg")]
    store.write_all("INSERT INTO prediction_input (time, node, image) VALUES (?, ?, ?)", inputs)


def _received(node: str, moment: int) -> Received:
    up = 864_000.0 - (NOW - moment) if node == ALPHA else 1_900_000.0
    head = {"at": "1", "seq": moment // 60, "boot": node, "up": max(up, 0.0), "time": moment}
    line = json.dumps({**head, "sample": _sample(node == ALPHA, moment)}).encode()
    what = samples.read(line).what
    assert isinstance(what, Sample)
    return Received(node, None, what, Moment(moment, False), Counter())


def _sample(alpha: bool, moment: int) -> dict[str, Any]:
    """A sample as an agent sends it, with nothing the same on both nodes."""
    of = (lambda first, _second: first) if alpha else (lambda _first, second: second)
    rx, tx = of(1234.5, 99.0), of(321.25, 88.0)
    return {
        "cpu": {"idle": of(58.75, 11.0), "cores": [of(61.5, 12.0), of(56.0, 13.0)]},
        "load": [of(0.375, 7.0), of(0.25, 7.25), of(0.125, 7.5)],
        "memory": {"used": of(37.5, 81.0), "total": 4_000_000_000, "available": 2_500_000_000,
                   "swap_total": 1000, "swap_used": of(125, 875)},
        "network": {"rx": rx, "tx": tx, "interfaces": {"eth0": {"rx": rx, "tx": tx}}},
        "io": {"read": of(777.5, 66.0), "write": of(555.25, 44.0), "disks": {
            "sda": {"read": of(733.5, 65.0), "write": of(511.25, 43.0), "busy": 1.0}}},
        "disks": {"/": {"used": of(2_500_000_000, 9_000_000_000),
                        "available": of(7_500_000_000, 1_000_000_000)}},
        "docker_disk": "/",
        "temperatures": {"cpu": of(48.5, 71.0), "board": of(40.0, 60.0)},
        "gpu": {"0": {"used": of(66.5, 3.0), "memory_used": of(1_500_000_000, 2_000),
                      "memory_total": 4_000_000_000, "temperature": of(57.5, 70.0),
                      "power": of(9.75, 2.5)}},
        "containers": {"c0ffee000000": {
            "model": "lamp", "release": RELEASE, "digest": "sha256:1a", "state": "running",
            "health": "healthy", "restarts": 0, "cpu": of(150.5, 20.0),
            "memory": of(32_000_000, 16_000_000)}},
        "events": _events(of, moment),
    }  # fmt: skip


def _events(of: Any, moment: int) -> list[dict[str, Any]]:
    """What alpha says is three persons to one cat; beta's are as many of each."""
    shared = {"model": "lamp", "time": moment}
    persons = [{"class": "person", "probability": of(0.875, 0.5)}] * of(3, 5)
    cats = [{"class": "cat", "probability": of(0.75, 0.25)}] * of(1, 5)
    said = {"event": "prediction", "latency_ms": of(41.5, 500.0), "results": persons + cats}
    fps = {"event": "metric", "name": "fps", "value": of(12.5, 2.0)}
    return [{**shared, **said}, {**shared, **fps}]


def _release(store: Store) -> None:
    for number, (model, version, letter, size) in enumerate(
        (("lamp", "1.0", "a", 123_456_789), ("fish", "2.0", "f", 22)), 1
    ):
        built = (number, model, version, letter * 64, NOW - 1000)
        store.write(
            "INSERT INTO release (id, model, version, hash, source, config, built_at)"
            " VALUES (?, ?, ?, ?, 'here', '{}', ?)", built)  # fmt: skip
        image = (number, "amd64", model, version, f"sha256:{number}{letter}", size, "b01")
        store.write("INSERT INTO release_image (release_id, platform, repository, tag, digest,"
                    " size_bytes, built_on, built_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*image, NOW - 1000))  # fmt: skip
        store.write("INSERT INTO catalogue (repository, tag) VALUES (?, ?)", (model, version))


def _done(store: Store) -> None:
    store.write("INSERT INTO deployment VALUES (1, 'lamp', 1, 'all', ?, NULL)", (NOW - 900,))
    states = [("serving", "alpha serves", ALPHA), ("failed", "beta does not", BETA)]
    for state, reason, node in states:
        store.write(
            "INSERT INTO assignment (node_id, model, deployment_id, state, reason, changed_at)"
            " SELECT id, 'lamp', 1, ?, ?, ? FROM node WHERE name = ?",
            (state, reason, NOW - 800, node))  # fmt: skip
        command = f"evc deploy lamp --on {node}"
        row = (NOW - 800, command, json.dumps([node]))
        store.write("INSERT INTO audit (time, person, command, nodes, outcome)"
                    " VALUES (?, 'kim', ?, ?, 'done')", row)  # fmt: skip
        store.write("INSERT INTO progress (time, node, status) VALUES (?, ?, ?)",
                    (NOW - 800, node, f"{command} done"))  # fmt: skip
