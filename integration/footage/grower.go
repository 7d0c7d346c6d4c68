package footage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// A Grower records one stream, a GOP at a time. Only one goroutine may use it.
type Grower struct {
	c      Camera
	db     *schema.DB
	store  store.Store
	tracks []*source
	stream schema.Stream
	number int64 // of the next recording

	run  *run
	rec  *recording
	rows []volume.Record // not committed yet
	ends []runEnd
	buf  []byte
}

// run is where the clip stands in the current run.
type run struct {
	uuid     string
	first90k int64 // wall time of the first frame
	start90k int64 // wall time of media time 0
	sequence int   // of the next recording
	next     []int64
}

// recording is the one being written.
type recording struct {
	*volume.File
	frags uint32
	holds []*media.SampleEntry // of the newest fragment, by track
}

type runEnd struct {
	uuid     string
	start90k int64
	reason   string
}

// NewGrower opens a data directory, which it makes when there is none, for recording a stream from c.Start on. Nothing is
// recorded until Grow is called.
func NewGrower(ctx context.Context, dataDir string, c Camera) (*Grower, error) {
	if c.Stream == "" {
		c.Stream = "main"
	}
	if c.RecordingLength == 0 {
		c.RecordingLength = time.Minute
	}
	if c.Clip == nil {
		c.Clip = camera.DemoClip()
	}
	tracks, err := c.sources()
	if err != nil {
		return nil, err
	}
	db, err := schema.Create(ctx, dataDir)
	if err != nil {
		return nil, err
	}
	g := &Grower{c: c, db: db, tracks: tracks}
	if err := g.attach(ctx, dataDir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return g, nil
}

func (g *Grower) attach(ctx context.Context, dataDir string) (err error) {
	if g.store, err = dir.Attach(filepath.Join(dataDir, schema.DefaultSampleDir), g.db.UUID()); err != nil {
		return err
	}
	err = g.db.Write(ctx, func(tx *schema.Tx) error {
		g.stream, err = tx.Stream(g.c.Name, g.c.Stream)
		return err
	})
	g.number = g.stream.NextNumber
	return errors.Join(err, g.startRun(ctx, media.FromTime(g.c.Start)))
}

// Grow appends a GOP to the recording that goes on, or starts one, and commits it.
func (g *Grower) Grow(ctx context.Context) error { return errors.Join(g.append(), g.commit(ctx)) }

// Gap ends the run; the next GOP starts another one after a while. The first frame of it is at the returned time.
func (g *Grower) Gap(ctx context.Context, d time.Duration) (time.Time, error) {
	err := errors.Join(g.gap(d, "a gap was asked for"), g.commit(ctx))
	return g.next(), err
}

// Seal ends the recording that goes on; the run goes on.
func (g *Grower) Seal(ctx context.Context) error { return errors.Join(g.seal(""), g.commit(ctx)) }

// Close closes the data directory, and leaves a recording that goes on as it is.
func (g *Grower) Close() error {
	var err error
	if g.rec != nil {
		err = g.rec.Close()
	}
	return errors.Join(err, g.db.Close())
}

// next is the wall time of the next frame.
func (g *Grower) next() time.Time { return media.ToTime(g.next90k()) }

func (g *Grower) next90k() int64 {
	video := g.tracks[0]
	x := video.at(g.run.next[0])
	return g.run.start90k + media.Rescale(x.PTS(), video.entry.Timescale, 90000)
}

// startRun starts a run whose first frame is shown at first90k.
func (g *Grower) startRun(ctx context.Context, first90k int64) error {
	r := &run{uuid: uuid.NewString(), first90k: first90k, next: make([]int64, len(g.tracks))}
	g.run = r
	r.start90k = first90k - g.next90k()
	return g.db.Write(ctx, func(tx *schema.Tx) error {
		_, err := tx.Run(g.stream.ID, r.uuid, first90k)
		return err
	})
}

func (g *Grower) gap(d time.Duration, reason string) error {
	first := g.next().Add(d)
	if err := g.end(reason); err != nil {
		return err
	}
	return g.startRun(context.Background(), media.FromTime(first))
}

// end ends the run.
func (g *Grower) end(reason string) error {
	g.ends = append(g.ends, runEnd{g.run.uuid, g.run.first90k, reason})
	return g.seal(reason)
}

// append writes the next GOP.
func (g *Grower) append() error {
	if g.rec != nil && g.due() {
		if err := g.seal(""); err != nil {
			return err
		}
	}
	if g.rec == nil {
		if err := g.startRecording(); err != nil {
			return err
		}
	}
	f := g.fragment()
	var headerLen int
	g.buf, headerLen = f.Append(g.buf[:0])
	if err := g.rec.Append(g.buf, nil); err != nil {
		return err
	}
	g.rec.Count(g.buf, schema.Fragment{HeaderLen: headerLen, Tracks: f.Tracks, Entries: f.Entries})
	duration := g.rec.Tracks()[volume.Video].Duration
	g.rec.SetSpan(g.rec.Row().Start90k, media.Rescale(duration, g.tracks[0].entry.Timescale, 90000))
	return nil
}

// due reports whether the next sync sample starts a recording.
func (g *Grower) due() bool {
	const quarter90k = 15 * 60 * 90000
	start, now := g.rec.Row().Start90k, g.next90k()
	return media.ToTime(now).Sub(media.ToTime(start)) >= g.c.RecordingLength || now/quarter90k != start/quarter90k
}

func (g *Grower) startRecording() error {
	id := mp4.Identity{
		Camera: g.c.Name, Stream: g.c.Stream, Recording: g.number, Run: g.run.uuid, Sequence: g.run.sequence, Start90k: g.next90k(),
	}
	g.number++
	g.run.sequence++
	var entries []media.SampleEntry
	var holds []*media.SampleEntry
	for i, t := range g.tracks {
		holds = append(holds, t.entryOf(g.run.next[i]))
		entries = append(entries, *holds[i])
	}
	file, err := volume.NewFile(1, g.stream.ID, id, entries)
	if err != nil {
		return err
	}
	g.rec = &recording{File: file, holds: holds}
	return file.Create(g.store.Create)
}

// fragment takes the next GOP from the clip.
func (g *Grower) fragment() *mp4.Fragment {
	g.rec.frags++
	f := &mp4.Fragment{Sequence: g.rec.frags, Tracks: make([][]media.Sample, len(g.tracks))}
	video := g.tracks[0]
	f.Wall90k = g.run.start90k + media.Rescale(video.dts(g.run.next[0]), video.entry.Timescale, 90000)
	if e := video.entryOf(g.run.next[0]); e != g.rec.holds[0] {
		g.rec.holds[0], f.Entries = e, make([]*media.SampleEntry, len(g.tracks))
		f.Entries[0] = e
	}
	g.take(f, 0, func(x *media.Sample) bool { return !x.Sync || len(f.Tracks[0]) == 0 })
	for i := 1; i < len(g.tracks); i++ {
		end := media.Rescale(video.dts(g.run.next[0]), video.entry.Timescale, g.tracks[i].entry.Timescale)
		g.take(f, i, func(x *media.Sample) bool { return x.DTS < end })
	}
	return f
}

// take moves samples of a track into a fragment for as long as more says so.
func (g *Grower) take(f *mp4.Fragment, track int, more func(x *media.Sample) bool) {
	t, n := &f.Tracks[track], &g.run.next[track]
	for {
		x := g.tracks[track].at(*n)
		if !more(&x) {
			return
		}
		*t = append(*t, x)
		*n++
	}
}

// seal ends the recording that goes on, if one does.
func (g *Grower) seal(reason string) error {
	r := g.rec
	if r == nil {
		return nil
	}
	g.rec = nil
	seal := mp4.Seal{Start90k: r.Row().Start90k, WallDuration90k: r.Row().WallDuration90k, EndReason: reason}
	if err := r.Append(nil, &seal); err != nil {
		return err
	}
	g.rows = append(g.rows, r.Record(g.run.uuid, g.run.first90k))
	return r.Close()
}

// commit puts into the database what was written.
func (g *Grower) commit(ctx context.Context) error {
	rows := g.rows
	if g.rec != nil {
		rows = append(rows, g.rec.Record(g.run.uuid, g.run.first90k))
	}
	err := g.db.Write(ctx, func(tx *schema.Tx) error {
		for i := range rows {
			if err := rows[i].Put(tx, nil); err != nil {
				return err
			}
		}
		for _, e := range g.ends {
			if err := volume.EndRun(tx, g.stream.ID, e.uuid, e.start90k, e.reason); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit footage of %s: %w", g.stream.Label(), err)
	}
	g.rows, g.ends = nil, nil
	return nil
}
