-- What containers get on each node, beyond their image: variables and files, some of them secret.

CREATE TABLE setting (
  id INTEGER PRIMARY KEY,
  level TEXT NOT NULL CHECK (level IN ('fleet', 'group', 'node')),
  owner TEXT NOT NULL DEFAULT '',    -- the group's or node's name
  model TEXT NOT NULL DEFAULT '',    -- '' for every model
  key TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('variable', 'file', 'secret')),
  value TEXT NOT NULL,               -- a secret's is encrypted with certs/settings.key
  changed_at REAL NOT NULL,
  UNIQUE (level, owner, model, key)
) STRICT;
