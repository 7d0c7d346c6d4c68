package playback

import (
	"errors"
	"time"

	"nvrfs/mp4"
	"nvrfs/playback/lru"
)

// ErrNotFound says that there is no such stream, day, entry, or footage.
var ErrNotFound = errors.New("there is no such footage")

// A Library is the footage of a source. It is safe for concurrent use: each of its parts that changes has a lock of its own.
type Library struct {
	o   Options
	src Source
	rev int64 // of the newest change when the Library was opened

	tables *lru.Cache[tableKey, []byte]
	files  *lru.Cache[string, *mp4.File] // by ETag

	listings listings
	calendar calendar
	entries  sampleEntries
	readers  readers
	pins     pins
	news     subscribers
	ahead    ahead
	toKeep   toKeep // of the goroutine of Run
	count    sampleCounters
}

// Close closes the source. Files that are open must not be read any more.
func (l *Library) Close() error {
	l.ahead.stop()
	l.ahead.Wait()
	return l.src.Close()
}

// Data is the data directory, or empty if the source does not lie in a directory of this machine.
func (l *Library) Data() string {
	if d, ok := l.src.(directorySource); ok {
		return d.Dir()
	}
	return ""
}

// Recorded reports whether a process records into the source now, or mends it. If none does, recordings that are not sealed were cut
// off when their recorder was.
func (l *Library) Recorded() bool { return l.src.Recorded() }

// Location is the time zone of the days and hours.
func (l *Library) Location() *time.Location { return l.o.Location }
