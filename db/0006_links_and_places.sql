-- Nodes whose link is paid by the byte, what it carried, and what an alert still has to be told to.

ALTER TABLE sample ADD COLUMN covers INTEGER;  -- how many samples it is the mean of; NULL: it is one

CREATE TABLE link (
  node_id INTEGER NOT NULL,
  day INTEGER NOT NULL,              -- epoch seconds of its beginning, UTC
  bytes INTEGER NOT NULL,            -- the logger's connections of a metered node, headers included
  PRIMARY KEY (node_id, day)
) STRICT, WITHOUT ROWID;
