-- From version 2 to version 3: what a listing takes of a row is one value of the index.

DROP INDEX recording_listing;
CREATE INDEX recording_listing ON recording (stream_id, start_90k, id, run_id, dir_id, wall_duration_90k, bytes, sealed,
  printf('%x,%x,%x,%x,%x,%x,%x,%x,%x,%x,', id, run_id, dir_id, sequence, start_90k, wall_duration_90k, header_bytes, bytes, sealed,
    length(layout)) || CAST(layout AS TEXT));
