"""The Fleet dashboard: all nodes at once, where they are, how they are, by group and by node."""

from __future__ import annotations

from evc.pure.panels import ladder
from evc.pure.panels.choices import GROUP, IN_GROUP, NODES
from evc.pure.panels.ladder import NOW
from evc.pure.panels.model import Dashboard, Panel, State, Threshold, Unit

# A span of reachability is moved on while a logger runs; nobody knows long after its end.
KNOWN_SECONDS = 300
REACHED = {
    1: State("up", "good"),
    0: State("down", "bad"),
    -1: State("unknown", "unknown"),
}
HALF_FULL = (Threshold(70, "warning"), Threshold(90, "bad"))
HOT = (Threshold(70, "warning"), Threshold(80, "bad"))

# The chosen nodes: in the inventory, how they were reached last and their newest sample, as of :to.
NODE_NOW = f"""chosen AS (
  SELECT node.*, logged.id AS logged_id,
    (SELECT id FROM reachability WHERE node_id = logged.id AND since <= :to
     ORDER BY since DESC LIMIT 1) AS span_id,
    (SELECT id FROM sample WHERE node_id = logged.id AND id < {ladder.LAST_ID}
     ORDER BY id DESC LIMIT 1) AS sample_id
  FROM node LEFT JOIN logged_node AS logged ON logged.name = node.name
  WHERE node.name IN (:node)
),
now AS (
  SELECT chosen.id, chosen.name, chosen.title, chosen.logged_id, span.reason, span.since,
    CASE WHEN span.until IS NULL OR {NOW} - span.until > {KNOWN_SECONDS} THEN -1
      ELSE span.up END AS state,
    sample.time AS sampled, 100.0 - sample.idle AS cpu, sample.memory_used AS memory,
    sample.temperature, sample.up AS uptime, sample.detail,
    100.0 * disk_used / nullif(disk_used + disk_available, 0) AS disk
  FROM chosen LEFT JOIN reachability AS span ON span.id = span_id
  LEFT JOIN sample ON sample.id = sample_id
)"""
STATE_TEXT = "CASE state WHEN 1 THEN 'up' WHEN 0 THEN 'down' ELSE 'unknown' END"
# What a command last knew of each model that a node should run.
MODELS = """(SELECT group_concat(model || ': ' || state, ', ') FROM assignment
    WHERE node_id = now.id)"""

MAP = f"""WITH {NODE_NOW}
SELECT CAST(latitude AS REAL) AS latitude, CAST(longitude AS REAL) AS longitude, name AS node,
  title, {STATE_TEXT} AS state, place.address AS place, state AS value
FROM now JOIN place ON place.node_id = now.id
WHERE latitude IS NOT NULL AND longitude IS NOT NULL ORDER BY name"""

NODES_TABLE = f"""WITH {NODE_NOW}
SELECT name AS node, title,
  (SELECT group_concat(group_name, ', ') FROM membership WHERE node_id = now.id) AS groups,
  {STATE_TEXT} AS state, CAST(since AS REAL) AS since,
  CAST({NOW} - sampled AS REAL) AS age, CAST(cpu AS REAL) AS cpu,
  CAST(memory AS REAL) AS memory, CAST(temperature AS REAL) AS temperature,
  CAST(disk AS REAL) AS disk, {MODELS} AS models, iif(state = 1, '', reason) AS reason
FROM now ORDER BY name"""
NODES_COLUMNS: dict[str, Unit] = {
    "since": "time", "age": "age", "cpu": "percent", "memory": "percent",
    "temperature": "celsius", "disk": "percent",
}  # fmt: skip

ALERTS = """SELECT node, kind, text, CAST(since AS REAL) AS since, CAST(until AS REAL) AS until
FROM alert WHERE (node IN (:node) OR node = '')
AND since < :to AND (until IS NULL OR until >= :from)
ORDER BY until IS NOT NULL, since DESC LIMIT 200"""

BY_NODE = "SELECT id, name FROM logged_node WHERE name IN (:node)"
BY_GROUP = f"""SELECT logged_node.id, coalesce(group_name, '-') FROM logged_node
JOIN node ON node.name = logged_node.name LEFT JOIN membership ON membership.node_id = node.id
WHERE node.name IN (:node) AND {IN_GROUP}"""


def _count(key: str, title: str, what: str, *thresholds: Threshold) -> Panel:
    sql = f"WITH {NODE_NOW}\nSELECT {what} AS value FROM now"
    return Panel(key, title, "number", sql, thresholds=thresholds, width=4, height=4)


def _lines(
    key: str, title: str, figure: ladder.Figure, unit: Unit, *thresholds: Threshold
) -> tuple[Panel, Panel]:
    """A figure by group (the mean of its nodes) and by node."""
    most = 100.0 if unit == "percent" else None
    by_group = ladder.lines(BY_GROUP, ("", figure), all_nodes=True)
    by_node = ladder.lines(BY_NODE, ("", figure), all_nodes=True)
    return (
        Panel(f"{key}-groups", f"{title} by group", "lines", by_group, unit, thresholds, most=most),
        Panel(f"{key}-nodes", f"{title} by node", "lines", by_node, unit, thresholds, most=most),
    )


FLEET = Dashboard(
    "fleet",
    "Fleet",
    (GROUP, NODES),
    (
        _count("fleet-nodes", "Nodes", "count(*)"),
        _count("fleet-up", "Up", "count(*) FILTER (WHERE state = 1)"),
        _count("fleet-down", "Down", "count(*) FILTER (WHERE state = 0)", Threshold(1, "bad")),
        _count("fleet-unknown", "Unknown", "count(*) FILTER (WHERE state = -1)",
               Threshold(1, "warning")),
        _count("fleet-alerting", "Nodes with an alert",
               f"""count(*) FILTER (WHERE EXISTS (SELECT 1 FROM alert WHERE alert.node = now.name
    AND alert.since <= {NOW} AND coalesce(until > {NOW}, true)))""", Threshold(1, "bad")),
        _count("fleet-hottest", "Hottest, °C", "CAST(max(temperature) AS REAL)", *HOT),
        Panel("fleet-map", "Where they are", "map", MAP, states=REACHED, width=10, height=12),
        Panel("fleet-table", "Nodes", "table", NODES_TABLE, columns=NODES_COLUMNS, width=14,
              height=12),
        *_lines("fleet-cpu", "CPU", ladder.CPU, "percent", *HALF_FULL),
        *_lines("fleet-memory", "Memory", ladder.MEMORY, "percent", *HALF_FULL),
        *_lines("fleet-temperature", "Temperature", ladder.TEMPERATURE, "celsius", *HOT),
        *_lines("fleet-disk", "Disk", ladder.DISK, "percent", *HALF_FULL),
        *_lines("fleet-received", "Received", ladder.Figure("rx"), "bytes/s"),
        *_lines("fleet-sent", "Sent", ladder.Figure("tx"), "bytes/s"),
        Panel("fleet-alerts", "Alerts", "table", ALERTS,
              columns={"since": "time", "until": "time"}, width=24),
    ),
)  # fmt: skip
