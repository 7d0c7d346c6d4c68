-- The tables of nvrfs, version 3. Times are 90 kHz ticks since 1970 UTC (..._90k), sizes are bytes.

CREATE TABLE meta (
  -- One row. The UUID ties sample directories to this database: footage of another one is never touched.
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  uuid TEXT NOT NULL
) STRICT;

CREATE TABLE stream (
  id          INTEGER PRIMARY KEY,
  camera      TEXT NOT NULL,
  name        TEXT NOT NULL CHECK (name IN ('main', 'sub')),
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
  kind      INTEGER NOT NULL,          -- 1 video, 2 audio
  codec     TEXT NOT NULL,             -- RFC 6381
  timescale INTEGER NOT NULL CHECK (timescale > 0),
  width     INTEGER NOT NULL,          -- 0 for audio
  height    INTEGER NOT NULL,
  box       BLOB NOT NULL,             -- the box of stsd, ISO/IEC 14496-12 8.5.2
  UNIQUE (box, timescale)
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
  id                INTEGER PRIMARY KEY,
  stream_id         INTEGER NOT NULL REFERENCES stream (id),
  run_id            INTEGER NOT NULL REFERENCES run (id),
  dir_id            INTEGER NOT NULL DEFAULT 1 REFERENCES sample_dir (id),
  sequence          INTEGER NOT NULL CHECK (sequence >= 0),
  start_90k         INTEGER NOT NULL,  -- wall time of the first frame shown
  wall_duration_90k INTEGER NOT NULL CHECK (wall_duration_90k >= 0),
  header_bytes      INTEGER NOT NULL,  -- of the sample file before its first fragment
  bytes             INTEGER NOT NULL CHECK (bytes >= header_bytes), -- header and whole fragments
  sealed            INTEGER NOT NULL CHECK (sealed IN (0, 1)),
  layout            BLOB NOT NULL,     -- per track, what sizes and times follow from: see Track
  digest            BLOB,              -- BLAKE3 of the sample file's header and fragments; NULL while it grows
  CHECK (stream_id = id >> 32)
) STRICT;

-- Serves every listing without touching the table. What a listing takes of a row is its last column, one value, so that a day
-- of recordings is read as one: see unpackListing.
CREATE INDEX recording_listing ON recording (stream_id, start_90k, id, run_id, dir_id, wall_duration_90k, bytes, sealed,
  printf('%x,%x,%x,%x,%x,%x,%x,%x,%x,%x,', id, run_id, dir_id, sequence, start_90k, wall_duration_90k, header_bytes, bytes, sealed,
    length(layout)) || CAST(layout AS TEXT));

-- For runs of which no recording is left.
CREATE INDEX recording_run ON recording (run_id);

-- What start-up has to look at, however many recordings there are.
CREATE INDEX recording_growing ON recording (id, dir_id, bytes) WHERE sealed = 0;
CREATE INDEX run_going ON run (id) WHERE end_reason IS NULL;

CREATE TABLE recording_index (
  recording_id INTEGER PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,
  samples      BLOB NOT NULL           -- see Index
) STRICT;

CREATE TABLE change (
  -- A journal of what was added, grown, sealed or deleted, pruned to the newest rows. Readers remember the last rev they saw.
  rev          INTEGER PRIMARY KEY AUTOINCREMENT,
  recording_id INTEGER NOT NULL,
  start_90k    INTEGER NOT NULL,       -- of the recording
  kind         INTEGER NOT NULL CHECK (kind IN (0, 1, 2)) -- 0 grown or sealed, 1 added, 2 deleted
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
