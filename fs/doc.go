// Package fs mounts a playback.View as a read-only filesystem (FUSE). It shows what playback finds and decides nothing about footage
// itself, nor about what paths there are.
//
//	playback.View ─ Dir, Entry, Text ─> dirNode, entryNode, textNode, handles ─ errors ─> raw ─ errnos ─> go-fuse ─> kernel
//	           └─── news ─────────────> notifier ───────────────────────────────────────> raw: forget this name
//
// Nodes and handles return errors. One layer (raw.go, reply.go and server.go) knows go-fuse: it answers the kernel's requests, gives
// each its deadline, and turns errors into errnos by one table (errno.go).
//
// # What the kernel may keep
//
// Names, attributes and contents are kept for long, since each version of an entry is an inode of its own: what a file
// handle or an inode shows never changes. When footage changes, the notifier has the kernel forget the names that now lead
// to another inode, and the listings in which something is new. A handle that is open keeps the file that it opened, and
// the next open gets the new one. An entry that changed between lookup and open fails with ESTALE, upon which the kernel
// looks it up again by itself. Only status.json, and the info of an entry while a mark
// of it goes on, have one inode for all that they say: each open shows what it says then.
//
// # Invariants
//
//   - A read returns all the bytes that the size promises, or EIO: never a file that is short without a word.
//   - Handlers hold no lock while they ask the view, and the notifier holds none while it calls the kernel, which waits
//     for handlers (a notification about a directory waits for the lookups in it).
//   - Every request has one deadline, behind which it fails with EIO, and the log says what was asked, and by which program. A read
//     has none, since it must allocate nothing: what it asks the database has a deadline, and a disk that hangs holds up nobody but
//     those who read from it.
//
// Directories and entries are found through the view at each request. Of those that the kernel knows, only a playback.Ref is kept
// (nodes), so a tree of any size costs nothing until it is walked, and little then. Inode numbers are a digest of the path for
// directories, and of the content for files; they are FUSE's node ids, too. Where a listing goes on (cookies) follows from the
// Order that a view gives what it lists.
package fs
