"""The Fleet dashboard: all nodes at once, where they are, how they are, by group and by node."""

from __future__ import annotations

from evc.pure.panels import ladder
from evc.pure.panels.choices import GROUP, IN_GROUP, NODES, TITLED
from evc.pure.panels.ladder import NOW
from evc.pure.panels.model import Dashboard, Panel, State, Threshold, Unit

# A span of reachability is moved on while a logger runs; nobody knows long after its end.
KNOWN_SECONDS = 90  # three heartbeats of the logger
# A reached node's newest sample is hardly older; a metered one sends a minute when it is over.
LATE_SECONDS, METERED_SECONDS = 60, 120
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
  SELECT chosen.id, chosen.name, chosen.title, chosen.metered, chosen.logged_id,
    chosen.sample_id, span.reason, span.since,
    CASE WHEN span.until IS NULL OR {NOW} - span.until > {KNOWN_SECONDS} THEN -1
      ELSE span.up END AS state,
    sample.time AS sampled, 100.0 - sample.idle AS cpu, sample.memory_used AS memory,
    sample.temperature, sample.up AS uptime, sample.detail,
    100.0 * disk_used / nullif(disk_used + disk_available, 0) AS disk
  FROM chosen LEFT JOIN reachability AS span ON span.id = span_id
  LEFT JOIN sample ON sample.id = sample_id
)"""
STATE_TEXT = "CASE state WHEN 1 THEN 'up' WHEN 0 THEN 'down' ELSE 'unknown' END"
WHY = f"""CASE WHEN state = 0 THEN reason WHEN since IS NULL THEN 'never heard'
    WHEN state = -1 THEN 'no logger runs'
    WHEN coalesce({NOW} - sampled > iif(metered, {METERED_SECONDS}, {LATE_SECONDS}), true)
    THEN 'no sample comes' ELSE '' END"""
# What a node should run; beside it what a command or the newest sample knows that is not well.
MODELS = """(SELECT group_concat(said, ', ') FROM (
    SELECT one.model || ' ' || version || CASE WHEN one.state <> 'serving'
      THEN ' (' || one.state || ')' WHEN EXISTS (
        SELECT 1 FROM container_sample AS seen JOIN container ON container.id = container_id
        WHERE seen.sample_id = now.sample_id AND container.model = one.model
        AND (seen.state <> 'running' OR health = 'unhealthy')
      ) THEN ' (unhealthy)' ELSE '' END AS said
    FROM assignment AS one JOIN deployment ON deployment.id = deployment_id
    JOIN release ON release.id = release_id
    WHERE one.node_id = now.id ORDER BY one.model))"""

MAP = f"""WITH {NODE_NOW}
SELECT CAST(latitude AS REAL) AS latitude, CAST(longitude AS REAL) AS longitude, name AS node,
  title, coalesce(nullif(title, ''), name) AS label, {STATE_TEXT} AS state,
  place.address AS place, state AS value
FROM now JOIN place ON place.node_id = now.id
WHERE latitude IS NOT NULL AND longitude IS NOT NULL ORDER BY name"""

NODES_TABLE = f"""WITH {NODE_NOW}
SELECT name AS node, title,
  (SELECT group_concat(group_name, ', ') FROM membership WHERE node_id = now.id) AS groups,
  {STATE_TEXT} AS state, CAST({NOW} - sampled AS REAL) AS age, {MODELS} AS models,
  CAST(cpu AS REAL) AS cpu, CAST(memory AS REAL) AS memory,
  CAST(temperature AS REAL) AS temperature, CAST(disk AS REAL) AS disk, {WHY} AS reason,
  CAST(since AS REAL) AS since
FROM now ORDER BY name"""
NODES_COLUMNS: dict[str, Unit] = {
    "since": "time", "age": "age", "cpu": "percent", "memory": "percent",
    "temperature": "celsius", "disk": "percent",
}  # fmt: skip

ALERTS = """SELECT alert.node, title, kind, text, CAST(since AS REAL) AS since,
  CAST(until AS REAL) AS until
FROM alert LEFT JOIN node ON node.name = alert.node
WHERE (alert.node IN (:node) OR alert.node = '')
AND since < :to AND (until IS NULL OR until >= :from)
ORDER BY until IS NOT NULL, since DESC LIMIT 200"""

BY_NODE = f"""SELECT logged_node.id, {TITLED} FROM logged_node
JOIN node ON node.name = logged_node.name WHERE node.name IN (:node)"""
BY_GROUP = f"""SELECT logged_node.id, coalesce(group_name, '-') FROM logged_node
JOIN node ON node.name = logged_node.name LEFT JOIN membership ON membership.node_id = node.id
WHERE node.name IN (:node) AND {IN_GROUP}"""

# Of the machine that everybody's nodes are logged from: whatever is chosen.
CONTROLLER = f"""WITH RECURSIVE {ladder.EVERY},
point AS (
  SELECT controller.*, 100.0 * disk_used / nullif(disk_used + disk_available, 0) AS disk
  FROM tick, span, controller WHERE controller.time = (
    SELECT min(one.time) FROM controller AS one
    WHERE one.time >= tick.time AND one.time < tick.time + step
  )
)"""
CONTROLLER_SHARES = f"""{CONTROLLER}
SELECT time, 'CPU' AS series, cpu AS value FROM point
UNION ALL SELECT time, 'memory', memory_used FROM point
UNION ALL SELECT time, 'disk', disk FROM point ORDER BY 1, 2"""
CONTROLLER_BYTES = f"""{CONTROLLER}
SELECT time, 'database' AS series, CAST(database_bytes AS REAL) AS value FROM point
UNION ALL SELECT time, 'logger''s memory', CAST(logger_memory AS REAL) FROM point ORDER BY 1, 2"""


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
        Panel("fleet-map", "Where they are", "map", MAP, states=REACHED, width=8, height=12),
        Panel("fleet-table", "Nodes", "table", NODES_TABLE, columns=NODES_COLUMNS, width=16,
              height=12),
        *_lines("fleet-cpu", "CPU", ladder.CPU, "percent", *HALF_FULL),
        *_lines("fleet-memory", "Memory", ladder.MEMORY, "percent", *HALF_FULL),
        *_lines("fleet-temperature", "Temperature", ladder.TEMPERATURE, "celsius", *HOT),
        *_lines("fleet-disk", "Disk", ladder.DISK, "percent", *HALF_FULL),
        *_lines("fleet-received", "Received", ladder.Figure("rx"), "bytes/s"),
        *_lines("fleet-sent", "Sent", ladder.Figure("tx"), "bytes/s"),
        Panel("fleet-controller", "The controller", "lines", CONTROLLER_SHARES, "percent",
              HALF_FULL, most=100.0),
        Panel("fleet-logger", "The record of it all", "lines", CONTROLLER_BYTES, "bytes"),
        Panel("fleet-alerts", "Alerts", "table", ALERTS,
              columns={"since": "time", "until": "time"}, width=24),
    ),
)  # fmt: skip
