// Package schema is the SQLite database of nvrfs: which recordings there are, what is in each, and where its samples lie.
//
// A recording is about one minute of one stream. Its row is narrow and says everything from which the size and layout of
// a virtual file follow; the packed index, which describes every sample, is a blob in a table of its own and is read only
// when the offset of a sample is needed.
//
//	stream 1 ─ n run 1 ─ n recording 1 ─ 1 recording_index
//	                          └─ n sample_entry (through the row's listing)
//
// Holds and marks lie beside them: a hold is of a stream, and a mark of a camera.
//
// # Invariants
//
//   - A row is committed only after its sample file and that file's directory are synced, so a row always has its file.
//   - Once sealed, a recording's row and index never change.
//   - Recordings of one run have consecutive sequences; each starts, in media time and in wall time, where the one before
//     it ends.
//   - A recording's number is never used again within its stream.
//   - Every change to a recording leaves a row in change, in the same transaction, so that readers in other processes need
//     no notification.
//
// The package knows neither where sample files lie nor what an mp4 is; sample entries are opaque boxes to it. All times
// are 90 kHz ticks since 1970 UTC (…90k) unless said otherwise.
package schema
