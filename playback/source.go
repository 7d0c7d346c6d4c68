package playback

import (
	"context"
	"log/slog"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/playback/lru"
	"nvrfs/schema"
	"nvrfs/store"
)

// A Source is where footage comes from: rows, packed indexes, and bytes. All methods may be called by any number of goroutines.
// Ids of streams, recordings, runs and sample entries are the source's own, and never change their meaning. What becomes of a
// stream (names, sizes, ETags, bytes) follows from its label, and from the numbers, times and sizes of its recordings.
type Source interface {
	// Streams lists all streams, by camera and name, with what there is of each.
	Streams(ctx context.Context) ([]schema.Stream, error)

	// SomeStartingIn lists the recordings of a stream that start in [from90k, to90k), by start and id, as far as there are fewer
	// than most: ok is false where there are as many or more. The caller owns the list, and may change it, until it uses room
	// again. Dir and Digest need not be set.
	SomeStartingIn(ctx context.Context, room *schema.Room, stream, from90k, to90k int64, most int) (recs []schema.Recording, ok bool, err error)
	// FirstStart returns when the first recording of a stream starts that starts at from90k or later; ok is false when none does.
	FirstStart(ctx context.Context, stream, from90k int64) (start90k int64, ok bool, err error)
	// LastSpan returns start and end of the last recording of a stream that starts before before90k; ok is false when none does.
	LastSpan(ctx context.Context, stream, before90k int64) (start90k, end90k int64, ok bool, err error)
	// SampleEntry returns a sample entry, which never changes.
	SampleEntry(ctx context.Context, id int64) (media.SampleEntry, error)
	// Run returns a run.
	Run(ctx context.Context, id int64) (schema.Run, error)
	// RunsWith lists the runs of a stream of which a recording starts in [from90k, to90k), by start.
	RunsWith(ctx context.Context, stream, from90k, to90k int64) ([]schema.RunSpan, error)

	// WithPackedIndex lends use the packed index of a recording, until use returns.
	WithPackedIndex(ctx context.Context, id schema.RecordingID, use func(packed []byte) error) error
	// Extents writes to to where the sample files of recordings of the stream with a label lie, header and fragments: one extent
	// each. Their objects are read by any number of goroutines, until the Source is closed.
	Extents(ctx context.Context, label string, recs []schema.Recording, to []mp4.Extent) error

	// Rev returns the number of the newest change; 0 before the first.
	Rev(ctx context.Context) (int64, error)
	// ChangesSince lists the changes after rev. complete is false when some are no longer known, so that anything may have changed.
	ChangesSince(ctx context.Context, rev int64) (changes []schema.Change, complete bool, err error)
	// Deleted lists the recordings that were deleted and whose bytes are still there: it is asked where ChangesSince does not know.
	Deleted(ctx context.Context) ([]schema.RecordingID, error)
	// Recorded reports whether somebody records into the source now. Where nobody does, what is not sealed was cut off.
	Recorded() bool

	// Close is called when nothing of the Source is used any more.
	Close() error
}

// Abilities that a source or an object may have, and is asked for by a type assertion.
type (
	// A directorySource lies in a directory of this machine.
	directorySource interface{ Dir() string }

	// A forgettingSource keeps objects open from one read to the next. It closes those of the recordings for which gone is true,
	// since they were deleted or moved, so that their space is freed; they are opened again when they are read.
	forgettingSource interface {
		Forget(gone func(schema.RecordingID) bool)
	}

	// A watchedSource has the log say when a device does not answer, and when that is over. Watch is called before anything is
	// read; readers names some who have opened what lies on a device.
	watchedSource interface {
		Watch(log *slog.Logger, readers func(device int64) (names string))
	}

	// A countingSource counts what it does.
	countingSource interface {
		Counts() (queries, opens int64, open lru.Stats)
	}

	// A fileObject has its bytes in a file of this machine, at the same offsets. WithFile is File.WithFile for n bytes of it at off.
	fileObject interface {
		WithFile(off, n int64, use func(fd uintptr, at, n int64) (used int64)) (used int64)
	}

	// A keptObject can be read on after it was deleted, by those who called Keep before that. Device tells what hangs together:
	// objects of one device are asked one after the other, those of several at the same time.
	keptObject interface {
		Keep() (store.Reader, error)
		Device() int64
	}
)
