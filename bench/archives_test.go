package bench_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// archive describes rows to fill a database with: what nvrfs import would make of footage, without the footage. The indexes
// are those of a real camera; the sample files are holes, where there are any.
type archive struct {
	camera     string
	start      time.Time
	recordings int
	length     time.Duration // of a recording
	gap        time.Duration // between recordings, also below 0: then each is a run of its own
	fps        int           // video frames a second; 0 means one in ten seconds, without sound
	files      bool          // make the sample files, too
}

const (
	headerBytes = 1200
	gopSeconds  = 2
	variants    = 16 // recordings with different samples
	rowsPerTx   = 10_000
)

// minute is what a recording of an archive holds.
type minute struct {
	packed []byte
	tracks []schema.Track
	bytes  int64
}

// fill adds archives to the database of a data directory, which it makes when there is none.
func fill(ctx context.Context, data string, archives ...archive) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	db, err := schema.Create(ctx, data)
	if err != nil {
		return err
	}
	defer db.Close()
	samples, err := dir.Attach(filepath.Join(data, schema.DefaultSampleDir), db.UUID())
	if err != nil {
		return err
	}
	for _, a := range archives {
		if err := a.fill(ctx, db, samples); err != nil {
			return fmt.Errorf("fill %s: %w", a.camera, err)
		}
	}
	return nil
}

func (a archive) fill(ctx context.Context, db *schema.DB, samples *dir.Dir) error {
	var stream schema.Stream
	var entries []int64
	err := db.Write(ctx, func(tx *schema.Tx) (err error) {
		if stream, err = tx.Stream(a.camera, "main"); err != nil {
			return err
		}
		entries, err = a.sampleEntries(tx)
		return err
	})
	if err != nil {
		return err
	}
	minutes := a.minutes(entries)
	start90k, length90k, gap90k := media.FromTime(a.start), ticks90k(a.length), ticks90k(a.gap)
	run, sequence := int64(0), 0
	for n := 0; n < a.recordings; {
		err := db.Write(ctx, func(tx *schema.Tx) (err error) {
			for end := min(a.recordings, n+rowsPerTx); n < end; n++ {
				if run == 0 || a.gap != 0 {
					if run, err = tx.Run(stream.ID, uuid.NewString(), start90k); err != nil {
						return err
					}
					sequence = 0
				}
				m := &minutes[n%len(minutes)]
				r := schema.Recording{
					ID: schema.MakeRecordingID(stream.ID, stream.NextNumber+int64(n)), Run: run, Dir: 1, Sequence: sequence,
					Start90k: start90k, WallDuration90k: length90k, HeaderBytes: headerBytes, Bytes: headerBytes + m.bytes, Sealed: true,
					Tracks: append([]schema.Track(nil), m.tracks...), Digest: make([]byte, 32),
				}
				for i := range r.Tracks {
					r.Tracks[i].Start = int64(sequence) * r.Tracks[i].Duration
				}
				if err := tx.PutRecording(&r, m.packed); err != nil {
					return err
				}
				if err := a.file(samples, stream, &r); err != nil {
					return err
				}
				start90k += length90k + gap90k
				sequence++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// file makes a sample file of holes.
func (a archive) file(samples *dir.Dir, stream schema.Stream, r *schema.Recording) error {
	if !a.files {
		return nil
	}
	k := store.Key{Stream: stream.Label(), Number: r.ID.Number()}
	w, err := samples.Create(k)
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), os.Truncate(samples.Path(k), r.Bytes))
}

// sampleEntries adds those of the built-in camera.
func (a archive) sampleEntries(tx *schema.Tx) (ids []int64, err error) {
	clip := camera.DemoClip()
	video, err := mp4.NewAVC(clip.Video.SPS, clip.Video.PPS)
	if err != nil {
		return nil, err
	}
	sound, err := mp4.NewAAC(clip.Audio.AudioConfig)
	if err != nil {
		return nil, err
	}
	for _, e := range []media.SampleEntry{video, sound} {
		id, err := tx.SampleEntry(e)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// minutes makes up the samples of recordings: frames of a constant bit rate, whose sizes scatter as an encoder's do.
func (a archive) minutes(entries []int64) []minute {
	rnd := rand.New(rand.NewPCG(1, 2))
	size := func(typical uint32) uint32 { return typical*3/4 + rnd.Uint32N(typical/2) }
	all := make([]minute, variants)
	for v := range all {
		m := &all[v]
		tracks := []media.SampleEntry{{Kind: media.Video}, {Kind: media.Audio}}
		if a.fps == 0 {
			tracks = tracks[:1]
		}
		x := schema.NewIndex(tracks)
		sound := 0
		for at := time.Duration(0); at < a.length; at += gopSeconds * time.Second {
			f := schema.Fragment{HeaderLen: 700, Tracks: make([][]media.Sample, len(tracks))}
			if a.fps == 0 {
				if at%(10*time.Second) == 0 {
					f.Tracks[0] = []media.Sample{{Duration: 900_000, Size: size(8000), Sync: true}}
				}
			} else {
				f.Tracks[0] = append(f.Tracks[0], media.Sample{Duration: uint32(90_000 / a.fps), Size: size(90_000), Sync: true})
				for range gopSeconds*a.fps - 1 {
					f.Tracks[0] = append(f.Tracks[0], media.Sample{Duration: uint32(90_000 / a.fps), Size: size(15_000)})
				}
				for ; sound*1024 < int((at+gopSeconds*time.Second).Seconds()*48_000); sound++ {
					f.Tracks[1] = append(f.Tracks[1], media.Sample{Duration: 1024, Size: size(250), Sync: true})
				}
			}
			m.bytes += int64(f.HeaderLen)
			for _, t := range f.Tracks {
				for _, s := range t {
					m.bytes += int64(s.Size)
				}
			}
			x.Add(f)
		}
		for i := range tracks {
			x.SetEntry(i, entries[i])
		}
		m.packed, m.tracks = x.Bytes(), x.Tracks()
	}
	return all
}

func ticks90k(d time.Duration) int64 { return int64(d/time.Microsecond) * 9 / 100 }
