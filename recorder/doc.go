// Package recorder takes what cameras send and keeps it: as sample files, and as rows that say what is in them. It neither
// decodes nor changes a picture.
//
//	Source (RTSP) ─samples─> session ─fragments─> disk ─append─> sample files
//	                         one a run            one goroutine ─sync─> rows, one transaction for all streams
//
// An Importer does the same with existing files, as fast as the disk takes them, while nothing records.
//
// A stream runs one session after the other, for as long as its camera can be had. A session gives samples their wall
// time, cuts them into fragments and recordings, and never waits for the disk. The disk appends, and every sync interval
// syncs and commits. What a crash left, start-up reads back from the files alone; Check compares files and rows and
// changes nothing.
//
// # Invariants
//
//   - Every sample that a Source yields, from the first picture on, is in exactly one fragment, with its bytes and times.
//   - A recording starts with a sync sample, unless it goes on where the file before it failed. The recordings of a run follow
//     each other without a gap, in sequence, in media time and in wall time.
//   - What was handed to a disk is kept in memory until it is synced, and written to a new file where a file fails.
//   - A row is committed only after the bytes that it counts, and the name of its file, are synced. A sealed row has a file
//     that is sealed, and neither changes any more.
//   - Rows of a stream are committed in the order of their numbers, so that start-up finds a file without a row by its
//     number alone. It removes only files that hold no whole fragment and nothing but the beginning of one.
//   - What waits for a disk is bounded. A camera or a disk that is away ends runs of its own streams only, and is tried again
//     for ever.
//   - Whatever bytes a camera sends end at most its own session, with a reason. A panic on the way does, too.
//   - Only one process records into a data directory.
//
// # What it does not know
//
// The package knows no FUSE, no HTTP, and no days or hours except that a recording ends at each quarter of an hour of UTC.
// A sample is bytes with times to it, and a camera is a media.Source: package codec knows what the bytes are, and package
// recorder/rtsp how they come.
package recorder
