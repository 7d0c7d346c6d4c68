-- From version 1 to version 2: several sample directories, digests, sums of streams, deletion, holds.

ALTER TABLE stream ADD COLUMN recordings INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE stream SET (recordings, bytes) =
  (SELECT count(*), coalesce(sum(bytes), 0) FROM recording WHERE stream_id = stream.id);

CREATE INDEX run_listing ON run (stream_id, start_90k, id, end_reason);

CREATE TABLE sample_dir (
  id   INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO sample_dir (id, path) VALUES (1, 'samples');

DROP INDEX recording_listing;
ALTER TABLE recording ADD COLUMN dir_id INTEGER NOT NULL DEFAULT 1 REFERENCES sample_dir (id);
ALTER TABLE recording ADD COLUMN digest BLOB; -- unknown of what version 1 recorded
CREATE INDEX recording_listing ON recording
  (stream_id, start_90k, id, run_id, dir_id, sequence, wall_duration_90k, header_bytes, bytes, sealed, layout);
CREATE INDEX recording_run ON recording (run_id);
DROP INDEX recording_growing;
CREATE INDEX recording_growing ON recording (id, dir_id, bytes) WHERE sealed = 0;

DROP TABLE change; -- nobody has the database open
CREATE TABLE change (
  rev          INTEGER PRIMARY KEY AUTOINCREMENT,
  recording_id INTEGER NOT NULL,
  start_90k    INTEGER NOT NULL,
  kind         INTEGER NOT NULL CHECK (kind IN (0, 1, 2))
) STRICT;

CREATE TABLE garbage (
  recording_id INTEGER PRIMARY KEY,
  dir_id       INTEGER NOT NULL REFERENCES sample_dir (id),
  bytes        INTEGER NOT NULL,
  since_90k    INTEGER NOT NULL,
  samples      BLOB NOT NULL
) STRICT;

CREATE TABLE hold (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  stream_id   INTEGER NOT NULL REFERENCES stream (id),
  from_90k    INTEGER NOT NULL,
  to_90k      INTEGER NOT NULL CHECK (to_90k > from_90k),
  why         TEXT NOT NULL,
  created_90k INTEGER NOT NULL
) STRICT;
