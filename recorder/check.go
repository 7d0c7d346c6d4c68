package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// CheckOptions has functions that are told how Check gets on. They must be set.
type CheckOptions struct {
	Total   func(recordings int64) // once, before the first
	Checked func()                 // after each recording
	Found   func(Problem)
}

// A Problem is something that is not as it should be.
type Problem struct {
	Stream    string
	Recording int64 // its number
	What      string
}

func (p Problem) String() string { return fmt.Sprintf("%s/%d: %s", p.Stream, p.Recording, p.What) }

// A CheckSummary says what Check has looked at.
type CheckSummary struct {
	Recordings int64
	Bytes      int64
	Problems   int64
}

// Check compares the rows of a data directory with its sample files: each sealed row has its file with the right size, and
// each file its row. It changes nothing. Recordings that are not sealed are another process's, which is writing them, or
// start-up's to mend; so are files that no row counts yet.
func Check(ctx context.Context, data string, o CheckOptions) (CheckSummary, error) {
	db, err := schema.OpenReadOnly(ctx, data)
	if err != nil {
		return CheckSummary{}, err
	}
	defer db.Close() //nolint:errcheck // read only: nothing can be lost
	st, err := store.Open(filepath.Join(data, samplesDir), db.UUID())
	if err != nil {
		return CheckSummary{}, err
	}
	c := &checker{o: o, db: db, st: st}
	err = c.run(ctx)
	return c.sum, err
}

type checker struct {
	o   CheckOptions
	db  *schema.DB
	st  store.Store
	sum CheckSummary
}

func (c *checker) run(ctx context.Context) error {
	streams, err := c.db.Streams(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, s := range streams {
		n, _, err := c.db.Sums(ctx, s.ID)
		if err != nil {
			return err
		}
		total += n
	}
	c.o.Total(total)
	for _, s := range streams {
		if err := c.stream(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) found(s schema.Stream, number int64, what string, args ...any) {
	c.sum.Problems++
	c.o.Found(Problem{s.Label(), number, fmt.Sprintf(what, args...)})
}

// stream compares the rows of a stream with its files, a few hours of rows at a time.
func (c *checker) stream(ctx context.Context, s schema.Stream) error {
	files, err := c.st.Scan(s.Label(), 1)
	if err != nil {
		return err
	}
	counted := map[int64]bool{}
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
			counted[recs[i].ID.Number()] = true
			c.recording(s, &recs[i])
			c.o.Checked()
		}
	}
	for _, n := range files {
		if !counted[n] && n < s.NextNumber {
			c.found(s, n, "the sample file has no row")
		}
	}
	return ctx.Err()
}

func (c *checker) recording(s schema.Stream, r *schema.Recording) {
	c.sum.Recordings++
	c.sum.Bytes += r.Bytes
	key := store.Key{Stream: s.Label(), Number: r.ID.Number()}
	size, err := c.st.Size(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.found(s, key.Number, "the sample file is missing")
	case err != nil:
		c.found(s, key.Number, "%v", err)
	case size < r.Bytes:
		c.found(s, key.Number, "the sample file has %d bytes, of %d that are recorded", size, r.Bytes)
	case r.Sealed:
		if err := c.end(key, r.Bytes, size); err != nil {
			c.found(s, key.Number, "%v", err)
		}
	}
}

// end checks that behind the fragments of a sealed file there is its seal, and nothing else.
func (c *checker) end(k store.Key, bytes, size int64) error {
	f, err := c.st.Open(k)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only: nothing can be lost
	return mp4.CheckSeal(f, bytes, size)
}
