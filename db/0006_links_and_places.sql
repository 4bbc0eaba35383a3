-- Nodes whose link is paid by the byte, what it carried, and what an alert still has to be told to.

ALTER TABLE sample ADD COLUMN covers INTEGER;  -- how many samples it is the mean of; NULL: it is one

CREATE TABLE link (
  node_id INTEGER NOT NULL,
  day INTEGER NOT NULL,              -- epoch seconds of its beginning, UTC
  bytes INTEGER NOT NULL,            -- the logger's connections of a metered node, headers included
  PRIMARY KEY (node_id, day)
) STRICT, WITHOUT ROWID;

-- Which way an alert was told, when it began and when it was over. What is not here is tried again.
CREATE TABLE telling (
  alert_id INTEGER NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
  way TEXT NOT NULL,                 -- webhook, command, email
  over INTEGER NOT NULL,             -- 0: that it began, 1: that it is over
  time REAL NOT NULL,
  PRIMARY KEY (alert_id, way, over)
) STRICT, WITHOUT ROWID;
INSERT INTO telling SELECT alert.id, way.value, over.value, since
FROM alert, json_each('["webhook", "command", "email"]') AS way, json_each('[0, 1]') AS over
WHERE until IS NOT NULL OR over.value = 0;

-- Where an address lies, asked once; NULL: nobody knew. A place with coordinates is never asked for.
CREATE TABLE geocode (
  address TEXT PRIMARY KEY,
  latitude REAL,
  longitude REAL,
  source TEXT NOT NULL,              -- cities: the offline list; nominatim; '' for nobody
  time REAL NOT NULL
) STRICT;

-- The controller itself while a logger runs; its newest row is the logger's heartbeat.
CREATE TABLE controller (
  time REAL PRIMARY KEY,
  cpu REAL NOT NULL,                 -- %, all cores
  load1 REAL NOT NULL,
  memory_used REAL NOT NULL,         -- %
  disk_used INTEGER NOT NULL,        -- of the database's file system
  disk_available INTEGER NOT NULL,
  logger_cpu REAL NOT NULL,          -- % of one core, the logger's own process
  logger_memory INTEGER NOT NULL,    -- resident
  database_bytes INTEGER NOT NULL    -- with its write-ahead log
) STRICT;
