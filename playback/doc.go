// Package playback joins rows and bytes into files that can be read, and says which there are. Package fs and package web show what
// it finds; it knows neither. Nor does it know where the rows and bytes come from: it reads them from a Source. Only Open knows package local,
// the Source that is a recorder's database and sample directories.
//
//	          rows, indexes, changes
//	Source ──────────────────────────> listings, calendar ─> Entry (name, size, times) ─> File (io.ReaderAt)
//	   └─── extents (object, offset, length) ──────────────────────────────────────────────┘
//
// # Who sees what
//
// A Library is asked through a View, which says which streams may be seen; for its holder, all other streams do not exist. The mount's
// View is of everything. A View also knows the tree that the mount and HTTP show: what is in a directory (Dir), what a name or a path
// leads to (Node), and how a directory or file is found again (Ref). So there is one grammar of paths, and status.json, README.txt
// and the info files of entries have the same bytes everywhere.
//
//	View.Resolve(path)   whole paths, for HTTP
//	View.Find, View.At   one name in one directory, and what was found before, for the mount
//
// # What an entry is
//
// An entry is as many recordings of one stream as one file can show honestly: it ends at the end of its local hour,
// at a gap over two seconds, and where codec parameters change. It takes whole recordings, each in the hour in which it
// starts; the recorder starts a new one at the first sync sample of every quarter of an hour of UTC, on which the hours of
// every time zone begin. So an entry never begins in the middle of a GOP, no frame is in two entries, and the size of an
// entry follows from the rows alone.
//
// # Invariants
//
//   - An Entry and a File never change. When footage is added, the next listing has a new Entry with a new ETag and ID.
//   - Equal ETags mean equal bytes.
//   - Sealed recordings never change, so what was computed from them is cached for good, up to the configured bound.
//   - An entry follows from label, numbers, times and sizes, never from where its recordings lie.
//   - Everything that changes (listings, calendar, sample entries, readers, pins, subscribers, caches) is a type with a lock of its own. No lock is
//     held while a source is asked; listings take the lock of their cache inside their own, and no other lock is taken inside one.
package playback
