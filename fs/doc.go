// Package fs mounts a playback.Library as a read-only filesystem (FUSE). It shows what playback finds and decides nothing
// about footage itself.
//
//	/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4    directory{} ─> dirNode ─┐
//	/.nvrfs/README.txt, status.json, clips/, days/, info/           Entry ──────> entryNode ┴─> raw ─> go-fuse ─> kernel
//	                                            playback.Library ──── news ─────> notifier ────────> forget this name
//
// # What the kernel may keep
//
// Names, attributes and contents are kept for long, since each version of an entry is an inode of its own: what a file
// handle or an inode shows never changes. When footage changes, the notifier has the kernel forget the names that now lead
// to another inode, and the listings in which something is new. A handle that is open keeps the file that it opened, and
// the next open gets the new one. An entry that changed between lookup and open fails with ESTALE, upon which the kernel
// looks it up again by itself.
//
// # Invariants
//
//   - A read returns all the bytes that the size promises, or EIO: never a file that is short without a word.
//   - Handlers hold no lock while they call the library, and the notifier holds none while it calls the kernel, which waits
//     for handlers (a notification about a directory waits for the lookups in it).
//   - Every request ends but the read of a disk that hangs, which holds up nobody else: those that wait for the database have a
//     deadline.
//
// Directories and entries are found through the library at each request. Of those that the kernel knows, only the place in the
// tree is kept (nodes), so a tree of any size costs nothing until it is walked, and little then. Inode numbers are a digest of
// the path for directories, and of the content for files; they are FUSE's node ids, too.
package fs
