package local

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"nvrfs/mp4"
	"nvrfs/playback/lru"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// deadline bounds the question to the database where a sample directory lies, which is asked when it is first read from.
const deadline = 15 * time.Second

// openFiles is how many sample files stay open.
const openFiles = 256

// A Source is the footage of a data directory. It is safe for concurrent use. Rows, packed indexes and changes are those of the
// database, which is only read, but for holds.
type Source struct {
	*schema.DB
	dirs   *sampleDirs
	files  *sampleFiles
	writer writer
}

// Open opens the footage in a data directory, also while another process records into it.
func Open(ctx context.Context, data string) (*Source, error) {
	db, err := schema.OpenReadOnly(ctx, data)
	if err != nil {
		return nil, err
	}
	dirs := &sampleDirs{db: db, data: data, open: map[int64]files{}, watches: map[int64]*store.Watch{}}
	return &Source{DB: db, dirs: dirs, files: newSampleFiles(dirs.dir, dirs.of, openFiles)}, nil
}

// Watch has the log say when a disk does not answer readers, and when that is over. readers names those who have opened what lies
// on a device. It is called before anything is read.
func (s *Source) Watch(log *slog.Logger, readers func(device int64) (names string)) {
	s.dirs.log, s.dirs.readers = log, readers
}

// Close closes the database and the sample files. Objects must not be read any more, unless they are kept.
func (s *Source) Close() error {
	s.files.close()
	err := s.DB.Close()
	// The last connection tidies up behind SQLite, which one that only reads cannot.
	return errors.Join(err, s.writer.close())
}

// Dir is the data directory.
func (s *Source) Dir() string { return s.dirs.data }

// Recorded reports whether a process records into the data directory now, or mends it.
func (s *Source) Recorded() bool { return dir.CheckUnlocked(s.dirs.data) != nil }

// Deleted lists the recordings that were deleted, and whose sample files are still to be removed.
func (s *Source) Deleted(ctx context.Context) ([]schema.RecordingID, error) {
	garbage, err := s.Garbage(ctx)
	ids := make([]schema.RecordingID, len(garbage))
	for i, g := range garbage {
		ids[i] = g.Recording
	}
	return ids, err
}

// Extents says where recordings of the stream with a label lie: each is a sample file, of which no disk is asked yet.
func (s *Source) Extents(_ context.Context, label string, recs []schema.Recording, to []mp4.Extent) error {
	objects := make([]sampleFile, len(recs)) // those of a day are thousands: they are made all at once
	for i := range recs {
		r := &recs[i]
		objects[i] = sampleFile{s.files, sampleKey{r.ID, r.Dir, label}}
		to[i] = mp4.Extent{Object: &objects[i], Length: r.Bytes}
	}
	return nil
}

// Forget closes the sample files of the recordings for which gone is true, so that their space is freed.
func (s *Source) Forget(gone func(schema.RecordingID) bool) {
	s.files.open.Remove(func(k sampleKey, _ *openFile) bool { return gone(k.id) })
}

// Counts counts the questions to the database and the sample files that were opened, and says how many of these stay open.
func (s *Source) Counts() (queries, opens int64, open lru.Stats) {
	return s.Stats().Queries, s.files.opens.Load(), s.files.open.Stats()
}
