"""The Node dashboard: everything of one node."""

from __future__ import annotations

from evc.pure.panels import ladder
from evc.pure.panels.choices import ONE_NODE
from evc.pure.panels.fleet import ALERTS, HALF_FULL, HOT, NODE_NOW, REACHED
from evc.pure.panels.ladder import LOGGED, NOW, Figure
from evc.pure.panels.model import Dashboard, Panel, Threshold, Unit
from evc.pure.panels.registry import ASSIGNED

FACTS = """SELECT property, value FROM (
  SELECT 1 AS place, 'name' AS property, name AS value FROM node WHERE name IN (:node)
  UNION ALL SELECT 2, 'title', title FROM node WHERE name IN (:node)
  UNION ALL SELECT 3, 'address', address || ':' || port FROM node WHERE name IN (:node)
  UNION ALL SELECT 4, 'groups', group_concat(group_name, ', ')
    FROM membership JOIN node ON node.id = node_id WHERE name IN (:node)
  UNION ALL SELECT 5, 'label ' || key, label.value
    FROM label JOIN node ON node.id = node_id WHERE name IN (:node)
  UNION ALL SELECT 6, one.key, CAST(one.value AS TEXT)
    FROM node, json_each(facts) AS one WHERE name IN (:node)
) WHERE value <> '' ORDER BY place, property"""

# Those of the newest sample.
CONTAINERS = f"""WITH {NODE_NOW}
SELECT container.name AS container, model, release, one.state, health, restarts,
  CAST(one.cpu AS REAL) AS cpu, one.memory, CAST(sampled AS REAL) AS seen
FROM now JOIN container_sample AS one USING (sample_id)
JOIN container ON container.id = container_id ORDER BY model, container"""

# Each span at its beginning, and nobody knows at its end where no other follows at once.
REACHABILITY = f"""WITH span AS (
  SELECT max(since, :from) AS since, min(until, :to) AS until, up,
    lead(since) OVER (ORDER BY since) AS next
  FROM reachability WHERE node_id IN ({LOGGED}) AND since < :to AND until >= :from
)
SELECT time, series, value FROM (
  SELECT CAST(since AS REAL) AS time, 'reachable' AS series, up AS value FROM span
  UNION ALL SELECT CAST(until AS REAL), 'reachable', NULL FROM span
  WHERE coalesce(next > until + 1, true)
) ORDER BY time"""
DOWNS = f"""SELECT CAST(since AS REAL) AS since, CAST(until AS REAL) AS until,
  CAST(until - since AS REAL) AS lasted, reason
FROM reachability WHERE node_id IN ({LOGGED}) AND NOT up AND since < :to AND until >= :from
ORDER BY since DESC LIMIT 200"""
MISSING = f"""SELECT CAST(time AS REAL) AS time, 'not received' AS what,
  coalesce(last - first + 1, 0) AS count, reason FROM gap
WHERE node_id IN ({LOGGED}) AND time >= :from AND time < :to
UNION ALL SELECT CAST(time AS REAL), 'dropped', count, what FROM dropped
WHERE node_id IN ({LOGGED}) AND time >= :from AND time < :to
ORDER BY 1 DESC LIMIT 200"""

LINK = f"""SELECT CAST(day AS REAL) AS day, bytes FROM link
WHERE node_id IN ({LOGGED}) AND day < :to ORDER BY day DESC LIMIT 31"""

THE_NODE = "SELECT id, '' FROM logged_node WHERE name IN (:node)"
SPREAD = "SELECT sample.time, one.key AS series, CAST({} AS REAL) AS value"
SPREAD_FROM = """
FROM picked JOIN sample USING (id), json_each(detail, '$.{}') AS one ORDER BY 1, 2"""


def _number(key: str, title: str, what: str, unit: Unit, *thresholds: Threshold) -> Panel:
    sql = f"WITH {NODE_NOW}\nSELECT CAST({what} AS REAL) AS value FROM now"
    return Panel(key, title, "number", sql, unit, thresholds, width=4, height=4)


def _lines(key: str, title: str, unit: Unit, *figures: tuple[str, Figure]) -> Panel:
    """Figures of the node; the only one has its highest beside it."""
    sql = ladder.lines(THE_NODE, *figures, highest=len(figures) == 1, all_nodes=False)
    most = 100.0 if unit == "percent" else None
    thresholds = {"percent": HALF_FULL, "celsius": HOT}.get(unit, ())
    return Panel(key, title, "lines", sql, unit, thresholds, most=most)


def _each(key: str, title: str, unit: Unit, kind: str, value: str = "one.value") -> Panel:
    """Single ones of a kind (cores, zones, …) as samples have them in `detail`."""
    sql = ladder.picked(SPREAD.format(value) + SPREAD_FROM.format(kind))
    return Panel(key, title, "lines", sql, unit, most=100.0 if unit == "percent" else None)


def _member(place: int) -> str:
    """Of what `detail` has as a list: see `evc.pure.samples`."""
    return f"json_extract(one.value, '$[{place}]')"


def _containers(key: str, title: str, unit: Unit, column: str) -> Panel:
    sql = ladder.picked(
        f"""SELECT sample.time, trim(model || ' ' || release) AS series,
  CAST(sum(one.{column}) AS REAL) AS value
FROM picked JOIN sample USING (id) JOIN container_sample AS one ON sample_id = sample.id
JOIN container ON container.id = container_id GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    return Panel(key, title, "lines", sql, unit)


NODE = Dashboard(
    "node",
    "Node",
    (ONE_NODE,),
    (
        Panel("node-state", "State", "number", f"WITH {NODE_NOW}\nSELECT state AS value FROM now",
              states=REACHED, width=4, height=4),
        _number("node-age", "Newest sample", f"{NOW} - sampled", "age",
                Threshold(60, "warning"), Threshold(600, "bad")),
        _number("node-uptime", "Up since boot", "uptime", "age"),
        _number("node-cpu-now", "CPU now", "cpu", "percent", *HALF_FULL),
        _number("node-memory-now", "Memory now", "memory", "percent", *HALF_FULL),
        _number("node-disk-now", "Disk now", "disk", "percent", *HALF_FULL),
        Panel("node-reachability", "Reachability", "timeline", REACHABILITY, states=REACHED,
              width=24, height=4),
        _lines("node-cpu", "CPU", "percent", ("mean", ladder.CPU)),
        _lines("node-memory", "Memory", "percent", ("mean", ladder.MEMORY)),
        _lines("node-load", "Load", "", ("1 min", Figure("load1")), ("5 min", Figure("load5")),
               ("15 min", Figure("load15"))),
        _lines("node-temperature", "Temperature", "celsius", ("mean", ladder.TEMPERATURE)),
        _lines("node-traffic", "Traffic", "bytes/s", ("received", Figure("rx")),
               ("sent", Figure("tx"))),
        _lines("node-disk-io", "Disk traffic", "bytes/s", ("read", Figure("disk_read")),
               ("written", Figure("disk_write"))),
        _lines("node-full", "Disk and swap", "percent", ("disk", ladder.DISK),
               ("swap", ladder.SWAP)),
        _each("node-cores", "CPU by core", "percent", "cores", "100.0 - one.value"),
        _each("node-zones", "Temperature by zone", "celsius", "temperatures"),
        _each("node-mounts", "Free by file system", "bytes", "disks", _member(1)),
        _each("node-interfaces", "Received by interface", "bytes/s", "interfaces", _member(0)),
        _each("node-sent", "Sent by interface", "bytes/s", "interfaces", _member(1)),
        _each("node-disk-reads", "Read by disk", "bytes/s", "io", _member(0)),
        _each("node-disk-writes", "Written by disk", "bytes/s", "io", _member(1)),
        _each("node-gpu", "GPU", "percent", "gpu", _member(0)),
        _each("node-gpu-memory", "Memory used by GPU", "bytes", "gpu", _member(1)),
        _each("node-gpu-temperature", "Temperature by GPU", "celsius", "gpu", _member(3)),
        _each("node-gpu-power", "Power by GPU, W", "", "gpu", _member(4)),
        Panel("node-models", "What it should run, and how far it is", "table", ASSIGNED,
              columns={"changed": "time"}, width=24),
        Panel("node-containers", "Containers", "table", CONTAINERS,
              columns={"cpu": "percent", "memory": "bytes", "seen": "time"}, width=24),
        _containers("node-container-cpu", "CPU by container, of one core", "percent", "cpu"),
        _containers("node-container-memory", "Memory by container", "bytes", "memory"),
        Panel("node-facts", "What it is", "table", FACTS, width=8, height=10),
        Panel("node-alerts", "Alerts", "table", ALERTS,
              columns={"since": "time", "until": "time"}, width=16, height=10),
        Panel("node-downs", "Not reached", "table", DOWNS,
              columns={"since": "time", "until": "time", "lasted": "age"}),
        Panel("node-missing", "Missing of its record", "table", MISSING, columns={"time": "time"}),
        Panel("node-link", "What its metered link carried", "table", LINK,
              columns={"day": "time", "bytes": "bytes"}),
    ),
)  # fmt: skip
