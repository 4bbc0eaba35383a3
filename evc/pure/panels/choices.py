"""The variables that dashboards share. A name is never '-': that is for what has none."""

from __future__ import annotations

from evc.pure.panels.model import Variable

IN_GROUP = "coalesce(group_name, '-') IN (:group)"
MODEL, RELEASE = "coalesce(nullif(model, ''), '-')", "coalesce(nullif(release, ''), '-')"
TITLED = "iif(node.title = '', node.name, node.title || ' (' || node.name || ')')"

GROUP = Variable(
    "group",
    "Group",
    """SELECT coalesce(group_name, '-') AS value, coalesce(group_name, '-') AS text
FROM node LEFT JOIN membership ON node_id = node.id GROUP BY 1 ORDER BY 1""",
)
NODES = Variable(
    "node",
    "Node",
    f"""SELECT node.name AS value, {TITLED} AS text
FROM node LEFT JOIN membership ON node_id = node.id
WHERE {IN_GROUP} GROUP BY node.id ORDER BY 2""",
)
ONE_NODE = Variable(
    "node",
    "Node",
    f"SELECT node.name AS value, {TITLED} AS text FROM node ORDER BY 2",
    many=False,
)
ANY_NODE = Variable("node", "Node", ONE_NODE.sql)
BUILT_MODELS = Variable(
    "model", "Model", "SELECT model AS value, model AS text FROM release GROUP BY 1 ORDER BY 1"
)
SPEAKING_MODELS = Variable(
    "model",
    "Model",
    f"""SELECT {MODEL} AS value, {MODEL} AS text FROM (
  SELECT DISTINCT model FROM prediction_hour UNION SELECT DISTINCT model FROM metric_hour
  UNION SELECT model FROM release
) ORDER BY 1""",
)
SPEAKING_RELEASES = Variable(
    "release",
    "Release",
    f"""SELECT {RELEASE} AS value, {RELEASE} AS text FROM (
  SELECT DISTINCT model, release FROM prediction_hour
  UNION SELECT DISTINCT model, release FROM metric_hour
) WHERE {MODEL} IN (:model) GROUP BY 1 ORDER BY 1""",
)
