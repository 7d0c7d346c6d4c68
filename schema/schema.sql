-- The tables of nvrfs, version 5. Times are 90 kHz ticks since 1970 UTC (..._90k), sizes are bytes.

CREATE TABLE meta (
  -- One row. The UUID ties sample directories to this database: footage of another one is never touched.
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  uuid         TEXT NOT NULL,
  -- How often holds were added or removed. They lie beside the sample files as well, where this tells which copy is the newest.
  hold_changes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE stream (
  id          INTEGER PRIMARY KEY,
  camera      TEXT NOT NULL,
  name        TEXT NOT NULL,           -- see CheckStreamName
  -- What the mount and the sample directories call it: no two streams may share a directory.
  label       TEXT GENERATED ALWAYS AS (CASE name WHEN 'main' THEN camera ELSE camera || '.' || name END) VIRTUAL UNIQUE,
  -- The next recording's number. It only ever rises, so that a number, and a file name, never means two recordings.
  next_number INTEGER NOT NULL DEFAULT 1,
  -- Sums over the stream's recordings, kept with each change of them.
  recordings  INTEGER NOT NULL DEFAULT 0,
  bytes       INTEGER NOT NULL DEFAULT 0,
  UNIQUE (camera, name)
) STRICT;

CREATE TABLE sample_entry (
  -- One kind of decoding. Recordings share these: a camera has a handful in its life.
  id        INTEGER PRIMARY KEY,
  kind      INTEGER NOT NULL,          -- media.Kind
  codec     TEXT NOT NULL,             -- RFC 6381
  timescale INTEGER NOT NULL CHECK (timescale > 0),
  width     INTEGER NOT NULL,          -- 0 for audio
  height    INTEGER NOT NULL,
  box       BLOB NOT NULL,             -- the box of stsd, ISO/IEC 14496-12 8.5.2
  rotation  INTEGER NOT NULL DEFAULT 0 CHECK (rotation IN (0, 90, 180, 270)), -- degrees clockwise by which pictures are shown turned
  UNIQUE (box, timescale, rotation)
) STRICT;

CREATE TABLE run (
  id         INTEGER PRIMARY KEY,
  stream_id  INTEGER NOT NULL REFERENCES stream (id),
  uuid       TEXT NOT NULL UNIQUE,     -- as in the sample files' identity
  start_90k  INTEGER NOT NULL,
  end_reason TEXT                      -- NULL while the run goes on
) STRICT;

CREATE INDEX run_listing ON run (stream_id, start_90k, id, end_reason);

CREATE TABLE sample_dir (
  -- Where sample files lie. Directory 1 is "samples" in the data directory, wherever that is moved; the others are absolute.
  id   INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE recording (
  -- stream_id << 32 | number, where number counts the stream's recordings from 1 and names the sample file.
  id        INTEGER PRIMARY KEY,
  stream_id INTEGER GENERATED ALWAYS AS (id >> 32) VIRTUAL REFERENCES stream (id),
  run_id    INTEGER NOT NULL REFERENCES run (id),
  dir_id    INTEGER NOT NULL REFERENCES sample_dir (id),
  start_90k INTEGER NOT NULL,          -- wall time of the first frame shown
  bytes     INTEGER NOT NULL,          -- of the sample file: header and whole fragments
  sealed    INTEGER NOT NULL CHECK (sealed IN (0, 1)),
  -- All of a recording that listing and opening take, these columns included, in printable ASCII, so that a day of recordings is
  -- joined to one value: see packListing.
  listing   TEXT NOT NULL,
  digest    BLOB                       -- BLAKE3 of the sample file's header and fragments; NULL while it grows
) STRICT;

-- Finds recordings by time. Recordings that follow each other in time are neighbours in the table as well.
CREATE INDEX recording_start ON recording (stream_id, start_90k);

-- For runs of which no recording is left.
CREATE INDEX recording_run ON recording (run_id);

-- What start-up has to look at, however many recordings there are.
CREATE INDEX recording_growing ON recording (dir_id) WHERE sealed = 0;
CREATE INDEX run_going ON run (id) WHERE end_reason IS NULL;

CREATE TABLE recording_index (
  recording_id INTEGER PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,
  samples      BLOB NOT NULL           -- see Index
) STRICT;

CREATE TABLE change (
  -- A journal of what became of recordings, pruned to the newest rows. Readers remember the last rev they saw.
  rev          INTEGER PRIMARY KEY AUTOINCREMENT,
  recording_id INTEGER NOT NULL,
  start_90k    INTEGER NOT NULL,       -- of the recording
  kind         INTEGER NOT NULL        -- ChangeKind
) STRICT;

CREATE TABLE garbage (
  -- A sample file whose row was deleted, until the file is too.
  recording_id INTEGER PRIMARY KEY,
  dir_id       INTEGER NOT NULL REFERENCES sample_dir (id),
  bytes        INTEGER NOT NULL,
  since_90k    INTEGER NOT NULL,       -- when the row was deleted
  samples      BLOB NOT NULL           -- its packed index, for those who still read it
) STRICT;

CREATE TABLE hold (
  -- Footage that retention must not delete.
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  stream_id   INTEGER NOT NULL REFERENCES stream (id),
  from_90k    INTEGER NOT NULL,
  to_90k      INTEGER NOT NULL CHECK (to_90k > from_90k),
  why         TEXT NOT NULL,
  created_90k INTEGER NOT NULL
) STRICT;

CREATE TABLE mark (
  -- An event that a camera told of, such as motion. Its footage is what the streams of the camera have of that time.
  id        INTEGER PRIMARY KEY,
  camera    TEXT NOT NULL,
  start_90k INTEGER NOT NULL,
  end_90k   INTEGER CHECK (end_90k >= start_90k), -- NULL while it goes on
  kind      TEXT NOT NULL,             -- "motion", "person", "input"
  text      TEXT NOT NULL              -- in the words of the camera
) STRICT;

CREATE INDEX mark_start ON mark (camera, start_90k);

-- The few that last longer than an hour, so that those that reach into a range are found without reading all that came before it.
CREATE INDEX mark_long ON mark (camera, start_90k) WHERE end_90k IS NULL OR end_90k - start_90k > 324000000;
