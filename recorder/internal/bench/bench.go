package bench

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/session"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// Bench is a recorder's core without its goroutines: what a test gives it to do, it does at once.
type Bench struct {
	T      *testing.T
	Dir    string
	DB     *schema.DB
	Store  *FaultStore
	Writer *volume.Writer
	Stream *Stream
	Log    LogBuffer
	Rows   map[schema.RecordingID]schema.Recording // as checked last
}

// New makes a bench in a data directory of its own, for a stream whose recordings have a length.
func New(t *testing.T, length time.Duration) *Bench {
	t.Helper()
	return open(t, t.TempDir(), length)
}

// Open starts a recorder where there is footage, and makes a bench of it.
func Open(t *testing.T, dir string, length time.Duration) *Bench {
	t.Helper()
	Reopen(t, dir)
	return open(t, dir, length)
}

func open(t *testing.T, data string, length time.Duration) *Bench {
	t.Helper()
	b := &Bench{T: t, Dir: data}
	var err error
	if b.DB, err = schema.Create(t.Context(), b.Dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.DB.Close() })
	samples, err := dir.Attach(filepath.Join(b.Dir, schema.DefaultSampleDir), b.DB.UUID())
	if err != nil {
		t.Fatal(err)
	}
	var row schema.Stream
	err = b.DB.Write(t.Context(), func(tx *schema.Tx) error {
		row, err = tx.Stream("cam", "main")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Store = NewFaultStore(samples)
	b.write(1, b.Store, b.DB, row, length)
	return b
}

// write gives the bench the Writer of a sample directory, and a stream.
func (b *Bench) write(dir int64, st store.Store, db *schema.DB, row schema.Stream, length time.Duration) {
	log := NewLog(&b.Log)
	b.Writer = volume.NewWriter(volume.New(dir, "", st), db, time.Hour, log)
	b.T.Cleanup(b.Writer.Abandon)
	b.Stream = &Stream{Row: volume.NewStream(row), Writer: b.Writer, Length90k: media.Ticks(length), Log: log}
}

// Volumes are those of the bench.
func (b *Bench) Volumes() map[int64]*volume.Volume {
	return map[int64]*volume.Volume{1: volume.New(1, "", b.Store)}
}

// A Stream is a stream that a bench records.
type Stream struct {
	Row                   *volume.Stream
	Writer                *volume.Writer
	Length90k, Stagger90k int64
	Log                   *slog.Logger
}

// Session begins a session of the stream.
func (s *Stream) Session() *session.Session {
	return session.New(session.Options{
		NewRun:    func() session.Sink { return s.Writer.NewRun(s.Row) },
		Length90k: s.Length90k, Stagger90k: s.Stagger90k, Log: s.Log,
	})
}

// Commit writes and commits what was enqueued, and checks what then is on the disk.
func (b *Bench) Commit() {
	b.T.Helper()
	b.Writer.Drain()
	b.Writer.Commit()
	b.CheckRows()
}

// Session starts a session of a camera.
func (b *Bench) Session(c Camera) *session.Session {
	b.T.Helper()
	s := b.Stream.Session()
	if err := s.Start(c.Tracks()); err != nil {
		b.T.Fatal(err)
	}
	return s
}

// Record records a camera for a while by its clock, in one run, and returns what it sent.
func (b *Bench) Record(c Camera, d time.Duration) (given []media.Sample) {
	b.T.Helper()
	s := b.Session(c)
	for x := range c.Samples(d) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			b.T.Fatalf("sample %d of track %d: %v", x.DTS, x.Track, err)
		}
		if len(given)%500 == 0 {
			b.Commit()
		}
	}
	if err := s.Finish("stopped"); err != nil {
		b.T.Fatal(err)
	}
	b.Commit()
	return given
}

// Recordings lists the rows, in order of their numbers.
func (b *Bench) Recordings() []schema.Recording {
	b.T.Helper()
	return RowsOf(b.T, b.DB, b.Stream.Row.ID)
}

// WantRuns checks for what the runs have ended, in order.
func (b *Bench) WantRuns(want []string) {
	b.T.Helper()
	runs, err := b.DB.Runs(b.T.Context(), b.Stream.Row.ID, 0, math.MaxInt64)
	if err != nil {
		b.T.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		got = append(got, r.EndReason)
	}
	if !slices.Equal(got, want) {
		b.T.Errorf("runs ended for %q, want %q", got, want)
	}
}

func RowsOf(t *testing.T, db *schema.DB, stream int64) []schema.Recording {
	t.Helper()
	recs, err := db.StartingIn(context.Background(), stream, 0, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(recs, func(a, b schema.Recording) int { return int(a.ID - b.ID) })
	return recs
}

// CheckRows checks that every row counts bytes that are durable, that its index describes them, that it only grew, and that
// the recordings of a run join.
func (b *Bench) CheckRows() {
	b.T.Helper()
	recs := b.Recordings()
	now := map[schema.RecordingID]schema.Recording{}
	for i := range recs {
		r := &recs[i]
		now[r.ID] = *r
		key := store.Key{Stream: "cam", Number: r.ID.Number()}
		if synced, named := b.Store.Durable(key); r.Bytes > synced || !named {
			b.T.Errorf("row %s counts %d bytes, of which %d are synced; name synced: %v", r.ID, r.Bytes, synced, named)
		}
		if before := b.Rows[r.ID]; before.Sealed && fmt.Sprint(before) != fmt.Sprint(*r) || before.Bytes > r.Bytes || before.ID != 0 && (r.Start90k > before.Start90k || r.Sequence > 0 && r.Start90k != before.Start90k) {
			b.T.Errorf("row was %+v, is %+v", before, *r)
		}
		if fmt.Sprint(b.Rows[r.ID]) != fmt.Sprint(*r) {
			b.CheckFile(r, key)
		}
		if i > 0 && recs[i-1].Run == r.Run {
			CheckJoin(b.T, &recs[i-1], r)
		}
	}
	for id := range b.Rows {
		if now[id].ID == 0 {
			b.T.Errorf("row %s is gone", id)
		}
	}
	b.Rows = now
}

// CheckFile checks that a file holds what its row says.
func (b *Bench) CheckFile(r *schema.Recording, key store.Key) {
	b.T.Helper()
	size, err := b.Store.Size(key)
	if err != nil {
		b.T.Fatal(err)
	}
	f, err := b.Store.Open(key)
	if err != nil {
		b.T.Fatal(err)
	}
	defer f.Close()
	found, index, err := readFile(f, r.Bytes)
	if err != nil || found.Torn != nil || found.Bytes != r.Bytes || found.HeaderBytes != r.HeaderBytes {
		b.T.Fatalf("file of %s read back up to its row's %d bytes: %+v, %v", r.ID, r.Bytes, found, err)
	}
	packed, err := b.DB.PackedIndex(context.Background(), r.ID)
	if err != nil {
		b.T.Fatal(err)
	}
	if !bytes.Equal(packed, index.Bytes()) {
		b.T.Errorf("index of %s is not that of its file", r.ID)
	}
	if r.Sealed {
		if err := mp4.CheckSeal(f, r.Bytes, size); err != nil {
			b.T.Errorf("sealed row %s: %v", r.ID, err)
		}
	}
}

func CheckJoin(t *testing.T, a, b *schema.Recording) {
	t.Helper()
	va, vb := a.Tracks[volume.Video], b.Tracks[volume.Video]
	switch {
	case !a.Sealed:
		t.Errorf("recording %s is not sealed, and another follows in its run", a.ID)
	case b.Sequence != a.Sequence+1:
		t.Errorf("recording %s has sequence %d, the next %d", a.ID, a.Sequence, b.Sequence)
	case vb.Start != va.Start+va.Duration:
		t.Errorf("recording %s ends at media time %d, the next starts at %d", a.ID, va.Start+va.Duration, vb.Start)
	case a.End90k() != b.Start90k:
		t.Errorf("recording %s ends at %v, the next starts at %v", a.ID, media.ToTime(a.End90k()), media.ToTime(b.Start90k))
	}
}

// Crash records a camera and stops as a killed process does: without finishing, committing, or closing.
func (b *Bench) Crash(c Camera, d time.Duration, commitAt ...time.Duration) (given []media.Sample) {
	b.T.Helper()
	s := b.Session(c)
	for x := range c.Samples(d) {
		given = append(given, x)
		if err := s.Sample(x); err != nil {
			b.T.Fatal(err)
		}
		for _, at := range commitAt {
			if x.Track == volume.Video && x.DTS == media.Ticks(at) {
				b.Commit()
			}
		}
	}
	b.Writer.Drain()
	return given
}

func (b *Bench) Path(number int64) string {
	return filepath.Join(b.Dir, schema.DefaultSampleDir, "cam", "000", fmt.Sprintf("%06d.mp4", number))
}

// copyTo copies the data directory.
func (b *Bench) Copy() (dir string) {
	b.T.Helper()
	dir = b.T.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.Dir)); err != nil {
		b.T.Fatal(err)
	}
	return dir
}

// Pictures returns what the pictures of all days hold.
func Pictures(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, day := range PlayBack(t, dir) {
		for _, x := range day[volume.Video] {
			all = append(all, x.Data)
		}
	}
	return all
}

// Shape is what a fragment holds.
type Shape struct {
	Fragment *mp4.ScannedFragment
	Rec      int64
}

// Shapes reads back every fragment of the recordings.
func (b *Bench) Shapes() (all []Shape) {
	b.T.Helper()
	for _, r := range b.Recordings() {
		f, err := b.Store.Open(store.Key{Stream: "cam", Number: r.ID.Number()})
		if err != nil {
			b.T.Fatal(err)
		}
		_, err = mp4.Scan(f, r.Bytes, func(_ *mp4.SampleFile, x *mp4.ScannedFragment) error {
			all = append(all, Shape{x.Clone(), r.ID.Number()})
			return nil
		})
		if err != nil {
			b.T.Fatal(err)
		}
		f.Close()
	}
	return all
}

// Shown returns when the first and the last picture of a fragment are shown.
func (s Shape) Shown() (first, last int64) {
	v := s.Fragment.Tracks[volume.Video]
	first = math.MaxInt64
	for _, x := range v {
		first, last = min(first, x.PTS()), max(last, x.PTS())
	}
	return first, last
}

// Reopen gives a bench the database and the files of its directory.
func (b *Bench) Reopen() {
	b.T.Helper()
	db, err := schema.OpenReadOnly(b.T.Context(), b.Dir)
	if err != nil {
		b.T.Fatal(err)
	}
	b.T.Cleanup(func() { db.Close() })
	samples, err := dir.Open(filepath.Join(b.Dir, schema.DefaultSampleDir), db.UUID())
	if err != nil {
		b.T.Fatal(err)
	}
	b.DB, b.Store, b.Stream = db, NewFaultStore(samples), &Stream{Row: volume.NewStream(schema.Stream{ID: 1})}
}

// Execute runs a statement in the database of a data directory.
func Execute(t *testing.T, dir, q string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, schema.FileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(q)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// SecondStream adds a stream on the same disk.
func (b *Bench) SecondStream() *Stream {
	b.T.Helper()
	var row schema.Stream
	err := b.DB.Write(b.T.Context(), func(tx *schema.Tx) (err error) {
		row, err = tx.Stream("other", "main")
		return err
	})
	if err != nil {
		b.T.Fatal(err)
	}
	return &Stream{Row: volume.NewStream(row), Writer: b.Writer, Length90k: 10 * 90000, Log: slog.New(slog.DiscardHandler)}
}
