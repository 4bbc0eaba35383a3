-- A release's images share its content; each has a recipe of its own: base, Dockerfile, arguments.
-- What was built before has neither, and is built once more.

ALTER TABLE release ADD COLUMN content TEXT NOT NULL DEFAULT '';
ALTER TABLE release_image ADD COLUMN recipe TEXT NOT NULL DEFAULT '';
CREATE INDEX release_content ON release (model, content);
