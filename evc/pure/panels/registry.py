"""The Registry and rollouts dashboard: images, releases, where they should run, who did what."""

from __future__ import annotations

from evc.pure.panels.choices import ANY_NODE, BUILT_MODELS
from evc.pure.panels.model import Dashboard, Panel, Unit

LABEL = "version || '+' || substr(hash, 1, 12)"

# What the registry held when somebody looked last (the logger does every hour).
IMAGES = f"""SELECT catalogue.repository, catalogue.tag, model, {LABEL} AS release, platform,
  size_bytes AS size, CAST(release_image.built_at AS REAL) AS built, digest
FROM catalogue LEFT JOIN release_image USING (repository, tag)
LEFT JOIN release ON release.id = release_id
WHERE model IS NULL OR model IN (:model) ORDER BY catalogue.repository, catalogue.tag"""

SIZES = """SELECT CAST(release_image.built_at AS REAL) AS time, model || ' ' || platform AS series,
  size_bytes AS value
FROM release_image JOIN release ON release.id = release_id
WHERE model IN (:model) AND release_image.built_at < :to ORDER BY 1, 2"""

RELEASES = f"""SELECT model, {LABEL} AS release, state, task, owner, git_commit AS "commit",
  (SELECT group_concat(platform, ', ') FROM release_image WHERE release_id = release.id)
    AS platforms,
  (SELECT sum(size_bytes) FROM release_image WHERE release_id = release.id) AS size,
  CAST(built_at AS REAL) AS built
FROM release WHERE model IN (:model) AND built_at < :to ORDER BY built_at DESC LIMIT 200"""

DEPLOYMENTS = f"""SELECT deployment.model, {LABEL} AS release, selector,
  count(*) FILTER (WHERE one.state = 'serving') AS serving,
  count(*) FILTER (WHERE one.state = 'pending') AS pending,
  count(*) FILTER (WHERE one.state = 'failed') AS failed,
  CAST(created_at AS REAL) AS since, CAST(superseded_at AS REAL) AS until
FROM deployment JOIN release ON release.id = deployment.release_id
LEFT JOIN assignment AS one ON one.deployment_id = deployment.id
LEFT JOIN node ON node.id = one.node_id
WHERE deployment.model IN (:model) AND (node.name IS NULL OR node.name IN (:node))
GROUP BY deployment.id ORDER BY created_at DESC LIMIT 200"""

ASSIGNED = f"""SELECT node.name AS node, node.title, one.model, {LABEL} AS release, one.state,
  one.reason, CAST(changed_at AS REAL) AS changed,
  (SELECT version || '+' || substr(hash, 1, 12) FROM release WHERE id = previous_release_id)
    AS previous
FROM assignment AS one JOIN node ON node.id = one.node_id
JOIN deployment ON deployment.id = one.deployment_id
JOIN release ON release.id = deployment.release_id
WHERE node.name IN (:node)"""
NODES = f"{ASSIGNED} AND one.model IN (:model) ORDER BY node.name, one.model"

PROGRESS = """SELECT CAST(time AS REAL) AS time, progress.node, title, status
FROM progress LEFT JOIN node ON node.name = progress.node
WHERE progress.node IN (:node) AND time >= :from AND time < :to ORDER BY time DESC LIMIT 200"""

# A command that concerned no node is everybody's.
HISTORY = """SELECT CAST(time AS REAL) AS time, person, command, outcome,
  (SELECT group_concat(value, ', ') FROM json_each(nodes)) AS nodes
FROM audit WHERE time >= :from AND time < :to
AND (nodes = '[]' OR EXISTS (SELECT 1 FROM json_each(nodes) WHERE value IN (:node)))
ORDER BY time DESC LIMIT 200"""


def _table(key: str, title: str, sql: str, columns: dict[str, Unit], width: int = 24) -> Panel:
    return Panel(key, title, "table", sql, columns=columns, width=width, height=9)


REGISTRY = Dashboard(
    "registry",
    "Registry and rollouts",
    (ANY_NODE, BUILT_MODELS),
    (
        _table("rollouts-deployments", "Deployments", DEPLOYMENTS,
               {"since": "time", "until": "time"}),
        _table("rollouts-nodes", "What each node should run, and how far it is", NODES,
               {"changed": "time"}),
        _table("rollouts-progress", "Progress", PROGRESS, {"time": "time"}, 12),
        _table("rollouts-history", "History", HISTORY, {"time": "time"}, 12),
        _table("registry-releases", "Releases", RELEASES, {"size": "bytes", "built": "time"}),
        _table("registry-images", "Images in the registry", IMAGES,
               {"size": "bytes", "built": "time"}, 16),
        Panel("registry-sizes", "Size of images", "lines", SIZES, "bytes", width=8, height=9),
    ),
    seconds=30 * 86400,
)  # fmt: skip
