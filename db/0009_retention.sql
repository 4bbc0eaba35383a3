-- What is kept for as long as a boot's or container's samples are: when it came last, on the hour.

ALTER TABLE boot ADD COLUMN seen REAL NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN seen REAL NOT NULL DEFAULT 0;
UPDATE boot SET seen = unixepoch();
UPDATE container SET seen = unixepoch();
