package store

import (
	"io"
	"time"
)

// A Key names a sample file: the label of its stream ("front-door", "front-door.sub"), and the recording's number in it,
// from 1.
type Key struct {
	Stream string
	Number int64
}

// A Store keeps sample files. When it is not where it was, its methods return ErrAway, and not that a file is missing.
// What has a sample file's name but is no regular file is listed by Scan, and not opened: Reopen, Open and Size return
// ErrNotRegular.
type Store interface {
	// Create makes a file for writing. It fails when there is one.
	Create(Key) (Writer, error)
	// Reopen opens a file for cutting off its torn tail and ending it.
	Reopen(Key) (Writer, error)
	// Open opens a file for reading.
	Open(Key) (Reader, error)
	// Size returns a file's length in bytes.
	Size(Key) (int64, error)
	// InUse reports whether a program has a file open, this process included. It is true as well where that cannot be told, as
	// over NFS.
	InUse(Key) bool
	// Empty gives the space of a file that is to be removed back, also where programs have it open: to them it is empty from now
	// on. A file that has another name is left alone, since somebody keeps it on purpose.
	Empty(Key)
	// Remove unlinks a file, durably, and the numbered directory that it leaves empty. That there is no such file is no error.
	// Who has it open can read on, and keeps its space from being free.
	Remove(Key) error
	// SetAside renames a file so that it is no sample file any more, and returns its new name.
	SetAside(Key) (string, error)
	// SyncDir makes the name of a file durable.
	SyncDir(Key) error
	// Present returns ErrAway when the store is not where it was.
	Present() error
	// Scan lists the sample files of a stream whose number is from or larger, by number.
	Scan(stream string, from int64) ([]int64, error)
	// Streams lists the streams that have a directory.
	Streams() ([]string, error)
	// Bulk opens a stream for making many files at once.
	Bulk(stream string) (Bulk, error)
}

// A Bulk makes many sample files of one stream, and makes them durable together, which takes a small part of the time that
// it takes one by one.
type Bulk interface {
	// Create is that of the Store, with a number of the stream.
	Create(number int64) (Writer, error)
	// Sync makes every file that was made so far durable, and its name. It may be called while files are being written, of
	// which it then promises nothing. When it fails, nothing is known of any file since the Bulk was opened.
	Sync() error
	io.Closer
}

// Writer is a sample file being written. Only one goroutine may use it.
type Writer interface {
	// Append writes p behind what is there. When it fails, the file is as before.
	Append(p []byte) error
	// Truncate cuts the file to a size.
	Truncate(size int64) error
	// Sync makes what was appended durable.
	Sync() error
	io.Closer
}

// Reader is a sample file being read, by any number of goroutines. One that lies in a file of this machine has a method
// Fd() uintptr besides, which returns the file's descriptor for the kernel to read from.
type Reader interface {
	io.ReaderAt
	io.Closer
}

// ReadersKeep is how long those who have a deleted file open can read on in it, where there is room for that. It is as long as
// a player that pauses over HTTP is waited for.
const ReadersKeep = 10 * time.Minute
