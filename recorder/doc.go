// Package recorder takes what cameras send and keeps it: as sample files, and as rows that say what is in them. It neither
// decodes nor changes a picture.
//
//	media.Source ─samples─> session.Session ─fragments─> volume.Writer ─append─> sample files
//	(recorder/rtsp)         one a run                    one goroutine  ─sync─> rows, one transaction for all streams
//
// A stream runs one session after the other, for as long as its camera can be had. Its fragments go to the Writer of the volume
// where it is recorded. Open has package fsck mend what a crash left. Retention deletes what is too much. Set changes what is
// recorded while the rest goes on.
//
// # The packages below
//
//   - session gives samples their wall time, and cuts them into fragments and recordings.
//   - volume is a sample directory: its states, its lock, and the only writer of sample files.
//   - fsck reads sample files back: it mends, checks, repairs and rebuilds.
//   - importer makes recordings of existing files, as fast as the disk takes them, while nothing records.
//   - rtsp, with rtpclock and guard, are the cameras.
//   - internal/bench is for the tests of all of these.
//
// # Invariants
//
//   - Every sample that a Source yields, from the first picture on, is in exactly one fragment, with its bytes and times.
//   - A recording starts with a sync sample, unless it goes on where the file before it failed. The recordings of a run follow
//     each other without a gap, in sequence, in media time and in wall time.
//   - What start-up removes are only files that hold no whole fragment and nothing but the beginning of one.
//   - What waits for a disk is bounded. A camera or a disk that is away ends runs of its own streams only, and is tried again
//     for ever.
//   - Whatever bytes a camera sends end at most its own session, with a reason. A panic on the way does, too.
//   - Only one process records into a data directory, and only one into a sample directory.
//   - What Set does not change loses no frame.
//
// # What it does not know
//
// The package knows no FUSE, no HTTP, and no days or hours except that a recording ends at each quarter of an hour of UTC.
// A sample is bytes with times to it, and a camera is a media.Source: package codec knows what the bytes are, and package
// recorder/rtsp how they come.
package recorder
