// Package session makes fragments and recordings of what a camera sends in one connection.
//
//	Source ─samples─> Session ─fragments─> Sink
//	                     └ runClock: camera's clock and times of arrival ─> wall time
//
// A Session gives samples their wall time, cuts them into fragments and recordings, and hands these to a Sink, which is the
// Writer of a volume.
//
// # Invariants
//
//   - Every sample that a Source yields, from the first picture on, is in exactly one fragment, with its bytes and times.
//   - A recording starts with a sync sample. The recordings of a run follow each other without a gap, in media time and in wall
//     time.
//   - A Session never waits. A fragment that the Sink refuses ends the run.
//
// # What it does not know
//
// Files, disks, numbers of recordings, the database, and what a camera is.
package session
