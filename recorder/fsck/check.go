package fsck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// A Level says how closely Check looks. Each level also does everything that the lower ones do.
type Level uint8

// The levels.
const (
	Presence Level = iota // each row has its file, each file its row
	Size                  // each file has the size that its row says, and where it is sealed its seal behind that
	Index                 // the row and the packed index say what the fragments' headers do
	Hash                  // every byte is as it was written, and the sums of the streams are right
)

var levelNames = []string{"presence", "size", "index", "hash"}

// ParseLevel returns the level of a name.
func ParseLevel(name string) (Level, error) {
	i := slices.Index(levelNames, name)
	if i < 0 {
		return 0, fmt.Errorf("%q is no level; want one of: %s", name, strings.Join(levelNames, ", "))
	}
	return Level(i), nil
}

func (l Level) String() string { return levelNames[l] }

// CheckOptions says how closely Check looks, and has functions that Check calls to report progress and problems. All must be set.
type CheckOptions struct {
	Level   Level
	Total   func(n int64) // once, before the first: how many recordings there are; with Hash, how many bytes of them
	Checked func(n int64) // after each recording: how many more of them
	Found   func(Problem)
	Log     *slog.Logger
}

// A Problem is a way in which the rows and the sample files of a data directory disagree, or a file is damaged.
type Problem struct {
	Stream    string
	Recording int64 // its number; 0 where it is the stream as a whole
	What      string

	stream int64
	dir    int64
}

func (p Problem) String() string { return p.Subject() + ": " + p.What }

// Subject says of which recording or stream the problem is.
func (p Problem) Subject() string {
	if p.Recording == 0 {
		return p.Stream
	}
	return fmt.Sprintf("%s/%d", p.Stream, p.Recording)
}

// A CheckSummary says how much Check has looked at.
type CheckSummary struct {
	Recordings int64
	Bytes      int64
	Problems   int64
}

// Check compares the rows of a data directory with its sample files, and changes nothing. A recorder may be at work: recordings that
// it writes or deletes meanwhile are no problem. If a recording is not sealed, Check looks only at the bytes that its row counts. A
// file behind the last row is no problem either: it is being written, or the next start mends it.
func Check(ctx context.Context, data string, o CheckOptions) (CheckSummary, error) {
	set, err := volume.OpenReadOnly(ctx, data, o.Log)
	if err != nil {
		return CheckSummary{}, err
	}
	defer set.Close() //nolint:errcheck // read only: nothing can be lost
	c := &checker{o: o, data: data, db: set.DB, volumes: set.Present()}
	err = c.run(ctx)
	return c.sum, err
}

type checker struct {
	o       CheckOptions
	data    string
	db      *schema.DB
	volumes map[int64]*volume.Volume // those that are there
	sum     CheckSummary
}

func (c *checker) run(ctx context.Context) error {
	streams, err := c.db.Streams(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, s := range streams {
		total += c.weight(s.Recordings, s.Bytes)
	}
	c.o.Total(total)
	for _, s := range streams {
		if err := c.stream(ctx, s); err != nil {
			return err
		}
	}
	if err := c.strangers(streams); err != nil || c.o.Level < Hash {
		return err
	}
	wrong, err := c.db.WrongSums(ctx)
	for _, s := range wrong {
		c.found(Problem{s.Label(), 0, fmt.Sprintf("its sums are wrong: it has %d recordings of %d bytes", s.Recordings, s.Bytes), s.ID, 0})
	}
	return err
}

// strangers reports sample files of streams that the database does not know.
func (c *checker) strangers(streams []schema.Stream) error {
	known := map[string]bool{}
	for _, s := range streams {
		known[s.Label()] = true
	}
	for dir, d := range c.volumes {
		labels, err := d.Store().Streams()
		if err != nil {
			return err
		}
		for _, label := range labels {
			if known[label] {
				continue
			}
			files, err := d.Store().Scan(label, 1)
			if err != nil {
				return err
			}
			if len(files) > 0 {
				c.found(Problem{label, 0, fmt.Sprintf("%d sample files of a stream that the database does not know", len(files)), 0, dir})
			}
		}
	}
	return nil
}

// weight returns how much work checking recordings is, for the progress.
func (c *checker) weight(recordings, bytes int64) int64 {
	if c.o.Level == Hash {
		return bytes
	}
	return recordings
}

func (c *checker) found(p Problem) {
	c.sum.Problems++
	c.o.Found(p)
}

// fileID is a sample file's number and directory.
type fileID struct{ number, dir int64 }

// stream compares the rows of a stream with its files, a few hours of rows at a time.
func (c *checker) stream(ctx context.Context, s schema.Stream) error {
	counted, away := map[fileID]bool{}, map[int64]int64{} // recordings by sample directory
	for from := int64(0); ; {
		start, ok, err := c.db.FirstStart(ctx, s.ID, from)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		from = start + 6*3600*90000
		recs, err := c.db.StartingIn(ctx, s.ID, start, from)
		if err != nil {
			return err
		}
		for i := range recs {
			counted[fileID{recs[i].ID.Number(), recs[i].Dir}] = true
			c.sum.Recordings++
			c.sum.Bytes += recs[i].Bytes
			if _, there := c.volumes[recs[i].Dir]; !there {
				away[recs[i].Dir]++
			} else if err := c.recording(ctx, s, recs[i].ID); err != nil {
				return err
			}
			c.o.Checked(c.weight(1, recs[i].Bytes))
		}
	}
	if err := c.away(ctx, s, away); err != nil {
		return err
	}
	return c.rowless(ctx, s, counted)
}

// away reports the sample directories that are not there, once for all recordings in each.
func (c *checker) away(ctx context.Context, s schema.Stream, recordings map[int64]int64) error {
	if len(recordings) == 0 {
		return nil
	}
	paths, err := c.db.SampleDirs(ctx)
	for dir, n := range recordings {
		c.found(Problem{s.Label(), 0, fmt.Sprintf("of %d recordings the sample directory %s is not there", n, schema.SampleDirPath(c.data, paths[dir])), s.ID, dir})
	}
	return err
}

// rowless looks for files of a stream that no row counts.
func (c *checker) rowless(ctx context.Context, s schema.Stream, counted map[fileID]bool) error {
	for dir, d := range c.volumes {
		files, err := d.Store().Scan(s.Label(), 1)
		if err != nil {
			return err
		}
		for _, n := range files {
			if counted[fileID{n, dir}] || n >= s.NextNumber {
				continue
			}
			is, err := c.isRowless(ctx, s, n, dir)
			if err != nil {
				return err
			}
			if is {
				c.found(Problem{s.Label(), n, "the sample file has no row", s.ID, dir})
			}
		}
	}
	return ctx.Err()
}

// isRowless looks again: the file may have been given its row, or have been deleted, meanwhile. Rows are looked at before the
// file, as a recorder that deletes changes them in that order.
func (c *checker) isRowless(ctx context.Context, s schema.Stream, number, dir int64) (bool, error) {
	id := schema.MakeRecordingID(s.ID, number)
	r, ok, err := c.db.Recording(ctx, id)
	if err != nil || ok && r.Dir == dir {
		return false, err
	}
	garbage, err := c.db.Garbage(ctx)
	if err != nil || slices.ContainsFunc(garbage, func(g schema.Garbage) bool { return g.Recording == id && g.Dir == dir }) {
		return false, err
	}
	_, err = c.volumes[dir].Store().Size(store.Key{Stream: s.Label(), Number: number})
	return !errors.Is(err, fs.ErrNotExist), nil
}

// recording checks a recording, and again where its row has changed meanwhile.
func (c *checker) recording(ctx context.Context, s schema.Stream, id schema.RecordingID) error {
	r, ok, err := c.db.Recording(ctx, id)
	for err == nil && ok {
		problems := c.compare(ctx, s, &r)
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(problems) == 0 {
			return nil
		}
		var now schema.Recording
		now, ok, err = c.db.Recording(ctx, id)
		if err == nil && ok && now.Bytes == r.Bytes && now.Sealed == r.Sealed {
			for _, what := range problems {
				c.found(Problem{s.Label(), id.Number(), what, s.ID, r.Dir})
			}
			return nil
		}
		r = now
	}
	return err
}
