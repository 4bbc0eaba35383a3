"""The Models dashboard: what models said, how sure they were, how long it took, what changed."""

from __future__ import annotations

from evc.pure.panels.choices import (
    ANY_NODE,
    MODEL,
    RELEASE,
    SPEAKING_MODELS,
    SPEAKING_RELEASES,
)
from evc.pure.panels.ladder import EVENTS_LADDER, IS_RAW, LOGGED, NOW
from evc.pure.panels.model import Dashboard, Panel

DAY = 86400
OF_MODELS = f"{MODEL} IN (:model) AND {RELEASE} IN (:release)"
IN_TIME = "time >= :from AND time < :to"
# From the beginning of the hour that the range begins in, so that its first hour is there.
IN_HOURS = "time > :from - 3600 AND time < :to"

SAID = f"""WITH {EVENTS_LADDER},
said AS (
  SELECT time, model, release, class, probability AS low, probability AS total,
    probability AS high, 1 AS count
  FROM prediction WHERE {IS_RAW} AND {IN_TIME} AND {OF_MODELS} AND node IN (:node)
  UNION ALL
  SELECT time, model, release, class, low, total, high, count
  FROM prediction_hour WHERE NOT {IS_RAW} AND {IN_HOURS} AND {OF_MODELS} AND node IN (:node)
)"""
MEASURED = f"""WITH {EVENTS_LADDER},
measured AS (
  SELECT time, model, name, value AS total, value AS high, 1 AS count
  FROM metric WHERE {IS_RAW} AND {IN_TIME} AND {OF_MODELS} AND node_id IN ({LOGGED})
  UNION ALL
  SELECT time, model, name, total, high, count
  FROM metric_hour WHERE NOT {IS_RAW} AND {IN_HOURS} AND {OF_MODELS} AND node_id IN ({LOGGED})
)"""
STEP = "CAST(time / step AS INTEGER) * step"

CLASSES = f"""{SAID}
SELECT {STEP} AS time, class AS series, sum(count) AS value
FROM span, said GROUP BY 1, 2 ORDER BY 1, 2"""

CONFIDENCE = f"""{SAID},
point AS (
  SELECT {STEP} AS time, min(low) AS low, sum(total) / sum(count) AS mean, max(high) AS high
  FROM span, said GROUP BY 1
)
SELECT time, 'highest' AS series, high AS value FROM point
UNION ALL SELECT time, 'lowest', low FROM point
UNION ALL SELECT time, 'mean', mean FROM point ORDER BY 1, 2"""

LATENCY = f"""{MEASURED},
point AS (
  SELECT {STEP} AS time, model, sum(total) / sum(count) AS mean, max(high) AS high
  FROM span, measured WHERE name = 'latency_ms' GROUP BY 1, 2
)
SELECT time, model || ' mean' AS series, mean AS value FROM point
UNION ALL SELECT time, model || ' highest', high FROM point ORDER BY 1, 2"""

METRICS = f"""{MEASURED}
SELECT {STEP} AS time, model || ' ' || name AS series,
  CAST(sum(total) / sum(count) AS REAL) AS value
FROM span, measured WHERE name <> 'latency_ms' GROUP BY 1, 2 ORDER BY 1, 2"""

# Seven days up to now against the seven before: how much of all each class is, and how sure.
DRIFT = f"""WITH counted AS (
  SELECT model, class, time >= {NOW} - 7 * {DAY} AS late, sum(count) AS count, sum(total) AS total
  FROM prediction_hour WHERE time >= {NOW} - 14 * {DAY} AND time < {NOW}
  AND {OF_MODELS} AND node IN (:node) GROUP BY 1, 2, 3
),
part AS (
  SELECT model, class, late, total / count AS sure,
    100.0 * count / sum(count) OVER (PARTITION BY model, late) AS part
  FROM counted
),
both AS (
  SELECT model, class, max(part) FILTER (WHERE late) AS week,
    max(part) FILTER (WHERE NOT late) AS before, max(sure) FILTER (WHERE late) AS sure,
    max(sure) FILTER (WHERE NOT late) AS sure_before
  FROM part GROUP BY 1, 2
)
SELECT model, class, coalesce(week, 0.0) AS week, coalesce(before, 0.0) AS before,
  coalesce(week, 0.0) - coalesce(before, 0.0) AS change, CAST(sure AS REAL) AS confidence,
  CAST(sure_before AS REAL) AS confidence_before
FROM both ORDER BY abs(coalesce(week, 0.0) - coalesce(before, 0.0)) DESC, model, class LIMIT 100"""

RELEASES = f"""WITH said AS (
  SELECT model, release, sum(count) AS predictions, sum(total) / sum(count) AS confidence,
    count(DISTINCT node) AS nodes, max(time) AS newest
  FROM prediction_hour WHERE {IN_HOURS} AND {OF_MODELS} AND node IN (:node) GROUP BY 1, 2
),
took AS (
  SELECT model, release, sum(total) / sum(count) AS latency FROM metric_hour
  WHERE name = 'latency_ms' AND {IN_HOURS} AND {OF_MODELS} AND node_id IN ({LOGGED}) GROUP BY 1, 2
)
SELECT model, release, predictions, CAST(confidence AS REAL) AS confidence,
  CAST(latency AS REAL) AS latency, nodes, newest AS hour
FROM said LEFT JOIN took USING (model, release) ORDER BY newest DESC, model, release LIMIT 100"""

# Of the range's last day alone: a model that says nothing more must not cost a month's reading.
LATE = f"time >= max(:from, :to - {DAY}) AND time < :to"
LAST = f"""SELECT CAST(time AS REAL) AS time, said.node, title, model, release, class,
  CAST(probability AS REAL) AS confidence, box
FROM prediction AS said LEFT JOIN node ON node.name = said.node
WHERE {LATE} AND {OF_MODELS} AND said.node IN (:node) ORDER BY time DESC LIMIT 50"""

INPUTS = f"""SELECT CAST(input.time AS REAL) AS time, input.node, title, image, model, release,
  group_concat(class || ' ' || round(probability, 2), ', ') AS seen
FROM prediction_input AS input LEFT JOIN node ON node.name = input.node
LEFT JOIN prediction AS said ON said.time = input.time AND said.node = input.node
WHERE input.time >= :from AND input.time < :to AND input.node IN (:node)
AND (model IS NULL OR {OF_MODELS})
GROUP BY input.id ORDER BY input.time DESC LIMIT 50"""

MODELS = Dashboard(
    "models",
    "Models",
    (ANY_NODE, SPEAKING_MODELS, SPEAKING_RELEASES),
    (
        Panel("models-classes", "Predictions by class", "bars", CLASSES, width=24),
        Panel("models-confidence", "Confidence", "lines", CONFIDENCE, "share", most=1.0),
        Panel("models-latency", "Latency", "lines", LATENCY, "ms"),
        Panel("models-drift", "This week against the week before", "table", DRIFT,
              columns={"week": "percent", "before": "percent", "change": "percent",
                       "confidence": "share", "confidence_before": "share"}),
        Panel("models-releases", "By release", "table", RELEASES,
              columns={"confidence": "share", "latency": "ms", "hour": "time"}),
        Panel("models-metrics", "The models' own metrics", "lines", METRICS, width=24),
        Panel("models-last", "Last predictions, of the last day", "table", LAST,
              columns={"time": "time", "confidence": "share"}, height=10),
        Panel("models-inputs", "Last inputs", "table", INPUTS, columns={"time": "time"}, height=10),
    ),
    seconds=DAY,
)  # fmt: skip
