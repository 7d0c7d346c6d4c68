package store

import "errors"

var (
	// ErrAway says that a store is not where it was: its disk is not mounted.
	ErrAway = errors.New("the sample directory is not there; is its disk mounted?")

	// ErrForeign says that a store is not of the database with which it was opened.
	ErrForeign = errors.New("belongs to another database")

	// ErrLocked says that another process records into a data directory, or a sample directory.
	ErrLocked = errors.New("another nvrfs records into it")

	// ErrNotRegular says that what has the name of a file of ours is something else: a FIFO, a device, a directory, symbolic
	// links that lead nowhere but to each other.
	ErrNotRegular = errors.New("it is not a regular file")

	// ErrNoAnswer says that a disk did not answer in time.
	ErrNoAnswer = errors.New("the disk does not answer")
)
