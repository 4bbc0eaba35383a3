-- What nodes measured, what is missing of it, and when they could be reached.
-- By the name of a node, not its row in the inventory: what was recorded outlives that.

CREATE TABLE logged_node (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  position TEXT NOT NULL DEFAULT ''  -- of its ring: received up to NUMBER but for FROM-TO,…
) STRICT;

CREATE TABLE boot (
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  boot TEXT NOT NULL,                -- the kernel's boot_id
  UNIQUE (node_id, boot)
) STRICT;

-- One row a sample. Its id is time in ms << 20 | node << 6 | the number's last 6 bits: the newest
-- sample has the highest, though a backlog came later. Bytes, and bytes a second.
CREATE TABLE sample (
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  boot_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,              -- in the node's ring
  time REAL NOT NULL,                -- by the controller's clock
  up REAL NOT NULL,                  -- seconds since boot
  estimated INTEGER NOT NULL,        -- 1: of an earlier boot, by that boot's own clock
  idle REAL,                         -- CPU, %
  load1 REAL,
  load5 REAL,
  load15 REAL,
  memory_used REAL,                  -- %
  memory_total INTEGER,
  memory_available INTEGER,
  swap_total INTEGER,
  swap_used INTEGER,
  disk_used INTEGER,                 -- of the file system that Docker lives on
  disk_available INTEGER,
  temperature REAL,                  -- °C, of the hottest zone
  rx REAL,                           -- all physical interfaces
  tx REAL,
  disk_read REAL,                    -- all disks
  disk_write REAL,
  detail TEXT NOT NULL               -- JSON: the single ones; see the views below
) STRICT;
CREATE INDEX sample_by_node ON sample (node_id);
CREATE INDEX sample_by_time ON sample (time);

CREATE TABLE container (
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  name TEXT NOT NULL,                -- the first 12 digits of its id
  model TEXT NOT NULL,
  release TEXT NOT NULL,
  digest TEXT NOT NULL,
  UNIQUE (node_id, name)
) STRICT;

CREATE TABLE container_sample (
  sample_id INTEGER NOT NULL,
  container_id INTEGER NOT NULL,
  state TEXT NOT NULL,
  health TEXT NOT NULL,
  restarts INTEGER,
  cpu REAL,                          -- % of one core
  memory INTEGER,
  PRIMARY KEY (sample_id, container_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric (
  id INTEGER PRIMARY KEY,
  time REAL NOT NULL,
  node_id INTEGER NOT NULL,
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  value REAL NOT NULL
) STRICT;
CREATE INDEX metric_by_time ON metric (time);
CREATE INDEX prediction_by_time ON prediction (time);
CREATE INDEX prediction_input_by_time ON prediction_input (time);
CREATE INDEX progress_by_time ON progress (time);

-- Numbers of a node's ring that nobody will receive: they fell off it, or its disk lost them.
CREATE TABLE gap (
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER,                      -- NULL: the whole ring was another one
  reason TEXT NOT NULL,
  time REAL NOT NULL                 -- when that became known
) STRICT;

-- What a node sent and no honest agent sends, by kind.
CREATE TABLE dropped (
  node_id INTEGER NOT NULL,
  what TEXT NOT NULL,
  count INTEGER NOT NULL,
  time REAL NOT NULL,                -- the last time
  PRIMARY KEY (node_id, what)
) STRICT, WITHOUT ROWID;

-- When a node could be reached. Between two spans no logger ran.
CREATE TABLE reachability (
  id INTEGER PRIMARY KEY,
  node_id INTEGER NOT NULL,
  since REAL NOT NULL,
  until REAL NOT NULL,               -- or later: it is moved on while the span lasts
  up INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX reachability_by_node ON reachability (node_id, since);

-- Ten minutes of a node whose rollups are to be made, or made again.
CREATE TABLE unrolled (
  node_id INTEGER NOT NULL,
  slot INTEGER NOT NULL,             -- epoch seconds / 600
  PRIMARY KEY (node_id, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE minute (
  figure TEXT NOT NULL,              -- a column of `sample`
  node_id INTEGER NOT NULL,
  time INTEGER NOT NULL,             -- its beginning
  low REAL NOT NULL,
  mean REAL NOT NULL,
  high REAL NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (figure, node_id, time)
) STRICT, WITHOUT ROWID;

CREATE TABLE hour (
  figure TEXT NOT NULL,
  node_id INTEGER NOT NULL,
  time INTEGER NOT NULL,
  low REAL NOT NULL,
  mean REAL NOT NULL,
  high REAL NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (figure, node_id, time)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
  id INTEGER PRIMARY KEY,
  node TEXT NOT NULL,                -- '' for the controller itself
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  since REAL NOT NULL,
  until REAL                         -- NULL: it lasts
) STRICT;

-- The original's tables; `rowid` goes up with time.

CREATE VIEW cpuinfo AS
SELECT sample.id AS rowid, time, name, idle AS cpuratio
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE idle IS NOT NULL;

CREATE VIEW meminfo AS
SELECT sample.id AS rowid, time, name, memory_used AS memratio
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE memory_used IS NOT NULL;

CREATE VIEW strginfo AS
SELECT sample.id AS rowid, time, name, round(disk_used / 1e9, 3) AS inuse,
       round(disk_available / 1e9, 3) AS capacity
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE disk_used IS NOT NULL;

CREATE VIEW time_temp AS
SELECT sample.id AS rowid, time, name, temperature
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE temperature IS NOT NULL;

CREATE VIEW traffic AS
SELECT sample.id AS rowid, time, name, rx AS rx_bps, tx AS tx_bps
FROM sample JOIN logged_node ON logged_node.id = node_id WHERE rx IS NOT NULL;

-- The single ones of each sample, a row each.

CREATE VIEW core AS
SELECT sample.id AS rowid, time, name, one.key AS core, one.value AS idle
FROM sample JOIN logged_node ON logged_node.id = node_id, json_each(detail, '$.cores') AS one;

CREATE VIEW temperature AS
SELECT sample.id AS rowid, time, name, one.key AS zone, one.value AS temperature
FROM sample JOIN logged_node ON logged_node.id = node_id,
     json_each(detail, '$.temperatures') AS one;

CREATE VIEW disk AS
SELECT sample.id AS rowid, time, name, one.key AS mount,
       json_extract(one.value, '$[0]') AS used, json_extract(one.value, '$[1]') AS available
FROM sample JOIN logged_node ON logged_node.id = node_id, json_each(detail, '$.disks') AS one;

CREATE VIEW interface AS
SELECT sample.id AS rowid, time, name, one.key AS interface,
       json_extract(one.value, '$[0]') AS rx, json_extract(one.value, '$[1]') AS tx
FROM sample JOIN logged_node ON logged_node.id = node_id, json_each(detail, '$.interfaces') AS one;

CREATE VIEW disk_io AS
SELECT sample.id AS rowid, time, name, one.key AS disk,
       json_extract(one.value, '$[0]') AS "read",
       json_extract(one.value, '$[1]') AS written, json_extract(one.value, '$[2]') AS busy
FROM sample JOIN logged_node ON logged_node.id = node_id, json_each(detail, '$.io') AS one;

CREATE VIEW gpu AS
SELECT sample.id AS rowid, time, name, one.key AS gpu, json_extract(one.value, '$[0]') AS used,
       json_extract(one.value, '$[1]') AS memory_used,
       json_extract(one.value, '$[2]') AS memory_total,
       json_extract(one.value, '$[3]') AS temperature, json_extract(one.value, '$[4]') AS power
FROM sample JOIN logged_node ON logged_node.id = node_id, json_each(detail, '$.gpu') AS one;
