-- What dashboards ask of a month must not be counted anew each time: predictions and models' own
-- metrics by hour. By trigger, so that whoever writes them (logger, `evc predict`, import) is in it.

ALTER TABLE metric ADD COLUMN release TEXT NOT NULL DEFAULT '';    -- of the container that said it

CREATE TABLE prediction_hour (
  model TEXT NOT NULL,
  release TEXT NOT NULL,
  time INTEGER NOT NULL,             -- its beginning
  node TEXT NOT NULL,
  class TEXT NOT NULL,
  low REAL NOT NULL,                 -- probability; the mean is total / count
  total REAL NOT NULL,
  high REAL NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (model, release, time, node, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric_hour (
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  release TEXT NOT NULL,
  time INTEGER NOT NULL,
  node_id INTEGER NOT NULL,
  low REAL NOT NULL,
  total REAL NOT NULL,
  high REAL NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (model, name, release, time, node_id)
) STRICT, WITHOUT ROWID;

INSERT INTO prediction_hour
SELECT model, release, CAST(time / 3600 AS INTEGER) * 3600 AS hour, node, class,
       min(probability), sum(probability), max(probability), count(*)
FROM prediction GROUP BY model, release, hour, node, class;

INSERT INTO metric_hour
SELECT model, name, release, CAST(time / 3600 AS INTEGER) * 3600 AS hour, node_id,
       min(value), sum(value), max(value), count(*)
FROM metric GROUP BY model, name, release, hour, node_id;

CREATE TRIGGER prediction_by_hour AFTER INSERT ON prediction
BEGIN
  INSERT INTO prediction_hour VALUES (new.model, new.release,
    CAST(new.time / 3600 AS INTEGER) * 3600, new.node, new.class,
    new.probability, new.probability, new.probability, 1)
  ON CONFLICT DO UPDATE SET low = min(low, excluded.low), total = total + excluded.total,
    high = max(high, excluded.high), count = count + 1;
END;

CREATE TRIGGER metric_by_hour AFTER INSERT ON metric
BEGIN
  INSERT INTO metric_hour VALUES (new.model, new.name, new.release,
    CAST(new.time / 3600 AS INTEGER) * 3600, new.node_id, new.value, new.value, new.value, 1)
  ON CONFLICT DO UPDATE SET low = min(low, excluded.low), total = total + excluded.total,
    high = max(high, excluded.high), count = count + 1;
END;
