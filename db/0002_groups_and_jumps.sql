-- Groups that are a saved selector, nodes behind a jump host, and links that are paid by the byte.

ALTER TABLE node ADD COLUMN jump TEXT NOT NULL DEFAULT '';         -- [USER@]HOST[:PORT]
ALTER TABLE node ADD COLUMN metered INTEGER NOT NULL DEFAULT 0;

CREATE TABLE saved_selector (
  name TEXT PRIMARY KEY,
  selector TEXT NOT NULL,            -- asked anew each time the group is meant
  created_at REAL NOT NULL
) STRICT;
