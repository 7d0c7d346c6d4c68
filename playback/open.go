package playback

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"nvrfs/mp4"
	"nvrfs/playback/local"
	"nvrfs/playback/lru"
)

// Options says what to open, and how.
type Options struct {
	Data     string         // data directory: the database, and the sample files. New does not look at it
	Location *time.Location // of the days and hours
	Cache    int64          // bytes of memory that all caches together may take, about; 0 means DefaultCache
	Poll     time.Duration  // how often to look for new footage; 0 means 500 ms
	Log      *slog.Logger
}

// DefaultCache is what caches may take where nobody says otherwise.
const DefaultCache = 128_000_000

// What the caches share Options.Cache by: listings of a year of eight cameras take 20 MB, the tables of a day 30 MB, its layout
// 1 MB.
const (
	listShare  = 4 // the fourth part
	fileShare  = 8
	tableShare = 2 // and the rest is left for what cannot be counted
)

// Open opens the footage in a data directory for reading, also while another process records into it.
func Open(ctx context.Context, o Options) (*Library, error) {
	src, err := local.Open(ctx, o.Data)
	if err != nil {
		return nil, err
	}
	return New(ctx, src, o)
}

// New opens the footage of a source, and closes the source with it, or when it fails.
func New(ctx context.Context, src Source, o Options) (*Library, error) {
	o.Cache, o.Poll = cmp.Or(o.Cache, DefaultCache), cmp.Or(o.Poll, 500*time.Millisecond)
	rev, err := src.Rev(ctx) // before anything is listed, so that Run misses no change to it
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	l := &Library{
		o: o, src: src, rev: rev,
		tables:   lru.New[tableKey, []byte](o.Cache/tableShare, nil),
		files:    lru.New[string, *mp4.File](o.Cache/fileShare, nil),
		listings: newListings(o.Cache / listShare),
		calendar: calendar{loc: o.Location},
		toKeep:   toKeep{left: map[int64]*unkept{}},
	}
	if s, ok := src.(watchedSource); ok {
		s.Watch(o.Log, l.readers.on)
	}
	l.ahead.ctx, l.ahead.stop = context.WithCancel(context.Background())
	return l, nil
}
