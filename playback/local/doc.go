// Package local is the source of the footage that a recorder on this machine keeps: the rows and packed indexes of its database,
// and the bytes of its sample directories.
//
//	data directory/nvrfs.db ──────> schema.DB ──> rows, packed indexes, changes ─┐
//	sample directories ──> store/dir ──> files that are open ──> objects ────────┴─> playback.Source
//
// An object is a sample file: one recording, header and fragments. It lies in a file of the machine, so that the kernel can move
// its bytes; and it can be kept open when the recorder deletes it.
//
// # Invariants
//
//   - A disk that is not there, or hangs, costs only the footage on it: no lock is held while a disk or the database is asked.
//   - A sample file is closed when it was dropped from the cache and its last read has ended.
package local
