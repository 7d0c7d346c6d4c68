// Package session makes fragments and recordings of what a camera sends in one connection.
//
//	Source ─samples─> Session ─fragments─> Sink
//	                     └ runClock: camera's clock and times of arrival ─> wall time
//
// A Session gives samples their wall time, cuts them into fragments and recordings, and hands these to a Sink, which is the
// Writer of a volume. The first track is the master: video, or sound where there is no video. It alone decides where fragments and
// recordings end; the other tracks come along.
//
// # Invariants
//
//   - Every sample of the master that a Source yields, from the first sync sample on, is in exactly one fragment, with its bytes. Its
//     times are those that it came with, unless they do not follow those before.
//   - No timestamp, and nothing about another track than the master, ends a session or a run.
//   - A run starts with a sync sample, and so does a recording, unless none comes for minutes. The recordings of a run follow each
//     other without a gap, in media time and in wall time.
//   - The wall time of a picture is within two seconds of when it came, whatever the camera's clock does.
//   - A Session never waits. A fragment that the Sink refuses ends the run. What it holds is bounded, in time and in bytes.
//
// # What it does not know
//
// Files, disks, numbers of recordings, the database, and what a camera is.
package session
