-- Who is in the fleet, what was built, where it should run, and who did what.
-- Times are epoch seconds. No DATE or BOOLEAN types: Grafana's plugin cannot read them.

CREATE TABLE node (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL DEFAULT '',
  address TEXT NOT NULL,             -- '' for the controller itself
  port INTEGER NOT NULL,
  login_user TEXT,                   -- how registration logs in; afterwards it is always `evc`
  login_key TEXT,                    -- path of that person's private key; empty: agent, ~/.ssh
  sudo_file TEXT,                    -- path of a 0600 file with the sudo password
  is_builder INTEGER NOT NULL DEFAULT 0,
  is_edge INTEGER NOT NULL DEFAULT 1,
  is_local INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '',
  hw TEXT NOT NULL DEFAULT '',
  os TEXT NOT NULL DEFAULT '',
  gpu TEXT NOT NULL DEFAULT '',
  facts TEXT NOT NULL DEFAULT '{}',  -- JSON of the last probe
  registered_at REAL,                -- NULL: known, not yet registered
  added_at REAL NOT NULL,
  UNIQUE (address, port)
) STRICT;

CREATE TABLE membership (
  node_id INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,
  group_name TEXT NOT NULL,
  PRIMARY KEY (node_id, group_name)
) STRICT;

CREATE TABLE label (
  node_id INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (node_id, key)
) STRICT;

CREATE TABLE place (
  node_id INTEGER PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  latitude REAL,
  longitude REAL
) STRICT;

CREATE TABLE release (
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  hash TEXT NOT NULL,                -- of everything that goes in
  state TEXT NOT NULL DEFAULT 'draft',
  source TEXT NOT NULL,
  git_commit TEXT NOT NULL DEFAULT '',
  owner TEXT NOT NULL DEFAULT '',
  task TEXT NOT NULL DEFAULT '',
  config TEXT NOT NULL,              -- JSON of the project's config as built
  built_at REAL NOT NULL,
  UNIQUE (model, version, hash)
) STRICT;

CREATE TABLE release_image (
  release_id INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
  platform TEXT NOT NULL,
  repository TEXT NOT NULL,
  tag TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  built_on TEXT NOT NULL,
  built_at REAL NOT NULL,
  PRIMARY KEY (release_id, platform)
) STRICT;

-- A digest is never replaced.
CREATE TRIGGER release_image_digest BEFORE UPDATE OF digest ON release_image
WHEN old.digest <> new.digest
BEGIN SELECT raise(ABORT, 'the digest of a release is never replaced'); END;

CREATE TABLE deployment (
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  release_id INTEGER NOT NULL REFERENCES release (id),
  selector TEXT NOT NULL,
  created_at REAL NOT NULL,
  superseded_at REAL
) STRICT;

-- What each node should run: the newest wish of a (node, model).
CREATE TABLE assignment (
  node_id INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  deployment_id INTEGER NOT NULL REFERENCES deployment (id),
  previous_release_id INTEGER REFERENCES release (id),
  state TEXT NOT NULL DEFAULT 'pending',   -- serving, pending, failed
  reason TEXT NOT NULL DEFAULT '',
  changed_at REAL NOT NULL,
  PRIMARY KEY (node_id, model)
) STRICT;

CREATE TABLE progress (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  node TEXT NOT NULL,
  status TEXT NOT NULL
) STRICT;

CREATE TABLE prediction (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  node TEXT NOT NULL,
  model TEXT NOT NULL,
  release TEXT NOT NULL,
  class TEXT NOT NULL,
  probability REAL NOT NULL,
  box TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE prediction_input (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  node TEXT NOT NULL,
  image TEXT NOT NULL
) STRICT;

CREATE TABLE catalogue (
  id INTEGER PRIMARY KEY,
  repository TEXT NOT NULL,
  tag TEXT NOT NULL,
  UNIQUE (repository, tag)
) STRICT;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  person TEXT NOT NULL,
  command TEXT NOT NULL,
  nodes TEXT NOT NULL,               -- JSON list of names
  outcome TEXT NOT NULL
) STRICT;

-- The original's tables, for dashboards and queries made for them. Each exposes `rowid`: a plain
-- view answers ORDER BY ROWID wrongly, or not at all.

CREATE VIEW nodes AS
SELECT node.id * 1000 + row_number() OVER (PARTITION BY node.id ORDER BY group_name) AS rowid,
       added_at AS time, coalesce(group_name, '') AS affiliation, name, address AS ip, port,
       CASE WHEN is_builder THEN 'builder' ELSE 'user' END AS type, owner, hw, os, gpu
FROM node LEFT JOIN membership ON membership.node_id = node.id;

CREATE VIEW location AS
SELECT node.id AS rowid, name, place.address AS address, latitude, longitude
FROM place JOIN node ON node.id = place.node_id;

CREATE VIEW modelpred AS
SELECT id AS rowid, time, node AS name, class, probability FROM prediction;

CREATE VIEW input_image AS
SELECT id AS rowid, time, node AS name_node, image AS name_img FROM prediction_input;

CREATE VIEW model_list AS
SELECT id AS rowid, repository AS name, tag FROM catalogue;

CREATE VIEW dstrb_progress AS
SELECT id AS rowid, time, node AS name, status FROM progress;

CREATE VIEW model_desc AS
SELECT assignment.rowid AS rowid, node.name AS node, release.version || '-' || substr(hash, 1, 12)
       AS tag, release.task AS "desc"
FROM assignment JOIN node ON node.id = assignment.node_id
JOIN deployment ON deployment.id = assignment.deployment_id
JOIN release ON release.id = deployment.release_id;

CREATE VIEW modelinfo_detail AS
SELECT release_image.rowid AS rowid, release_image.built_at AS time, owner AS owner_name,
       repository AS repo, model AS model_name, round(size_bytes / 1e9, 3) AS size_GB, task, version
FROM release_image JOIN release ON release.id = release_image.release_id;
