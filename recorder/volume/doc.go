// Package volume keeps sample directories, and is the only one that writes sample files.
//
//	            ┌───────────── Volume: one sample directory ─────────────┐
//	session ─Run│ ─Fragments─> Writer ─File─> sample files ─synced─> rows │   absent ─> recovering ─> ready
//	            └────────────────────────────────────────────────────────┘
//
// A Set has the volumes of a data directory, and its lock. A Volume is absent while its disk is away or hangs, recovering until
// what a crash left in it was mended, and then ready. Its Writer appends fragments from one goroutine, and every sync interval
// syncs what it appended and commits the rows. A File is the sample file of one recording while it is written; recording,
// import, salvage and the footage of tests make sample files by it, and by nothing else.
//
// # Invariants
//
//   - Only one recorder writes to a volume, whatever data directory it belongs to: each volume has a lock of its own.
//   - A Writer keeps every fragment in memory until it is synced. When a file fails, its fragments are written to a new one.
//   - A row is committed only after the bytes that it counts, and the name of its file, are synced. A sealed row has a file
//     that is sealed, and neither changes any more.
//   - Rows of a stream are committed in the order of their numbers, so that start-up finds a file without a row by its
//     number alone.
//   - The memory for fragments that wait for a disk is bounded. Nobody but the Writer waits for a disk.
//   - The bytes of a Fragment never change while somebody holds it.
//
// # What it does not know
//
// Cameras, sessions and clocks, because a fragment comes with its wall time; how a damaged file is mended, which package fsck knows;
// and which footage is to be deleted, which package recorder decides.
package volume
