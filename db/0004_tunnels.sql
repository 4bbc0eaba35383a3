-- Nodes that nobody can dial keep a tunnel to a rendezvous; and any node's rights can be ended.

ALTER TABLE node ADD COLUMN tunnel TEXT NOT NULL DEFAULT '';  -- HOST:PORT of its rendezvous
ALTER TABLE node ADD COLUMN revoked_at REAL;                  -- until it is added or enrolled anew

CREATE TABLE rendezvous (
  place TEXT PRIMARY KEY,            -- HOST:PORT of an sshd that EVC prepared
  used_at REAL NOT NULL              -- the newest is taken when nobody names one
) STRICT;

-- Nodes that were given a first-boot script and are not accepted yet.
CREATE TABLE enrolment (
  name TEXT PRIMARY KEY,
  rendezvous TEXT NOT NULL,
  port INTEGER NOT NULL,             -- the tunnel's, on the rendezvous' loopback
  wanted TEXT NOT NULL,              -- JSON: roles, groups, labels and title that it will have
  created_at REAL NOT NULL
) STRICT;
