// Package importer makes recordings of existing files, as if a camera had sent what is in them.
//
//	File ─> run ─bytes─> volume.File
//	         └─records─> queue ─> committer: syncs the filesystem, then commits, for many recordings at once
//
// A Layout tells from the name of a file of another recorder which camera it is of, and when it begins.
//
// # Invariants
//
//   - A row is committed only after its file and its name are synced. What waits for that is bounded.
//   - What a crash leaves, the next start takes in, as it does what a recorder was writing.
//   - Fragments and recordings are cut as a session cuts them.
//
// # What it does not know
//
// Where the files come from, and how their tables are read: a Table is handed in, which package demux reads from mp4 files.
package importer
