// Package fsck reads sample files back, and makes rows and files fit each other.
//
//	sample file ─read back─> what it tells ─┬─ Mend: at a start, what a crash left
//	                                        ├─ Check: compares it with the rows, and changes nothing
//	                                        ├─ Repair: checks, and then writes rows and files anew
//	                                        └─ Rebuild: makes the database from the files alone
//
// # Invariants
//
//   - No byte of footage is deleted. A file that is damaged is set aside as it was, and what is whole of it is written to new
//     ones by volume.File.
//   - Mending takes no longer the more footage there is: it looks at rows that are not sealed, and at files that no row counts.
//   - A disk that fails keeps no recorder from starting. What cannot be mended is left as it is, for the next start.
//   - Check may run beside a recorder. What that one writes or deletes meanwhile is no problem.
//
// # What it does not know
//
// Cameras, sessions, and what is to be deleted.
package fsck
