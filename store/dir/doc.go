// Package dir is a store of sample files in a local directory. It moves bytes and names; it knows neither what is in a sample
// file nor which ones there should be.
//
//	<dir>/nvrfs-store.json              whose sample files these are
//	<dir>/front-door/000/000001.mp4     stream, number / 1000, number
//	<dir>/front-door.sub/001/001234.mp4
//
// # Invariants
//
//   - A directory belongs to the database whose UUID its identity file holds. Attach refuses any other, and a directory that
//     holds something but has no identity, so footage is never written to, or removed from, a place that is not ours.
//   - Create never opens a file that exists.
//   - Directories have mode 0700, files 0600.
package dir
