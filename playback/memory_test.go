package playback_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/playback"
	"nvrfs/schema"
)

// memorySource has the footage of a data directory in memory, and the bytes of all recordings in one object, in no order and with
// other bytes between them. Its objects lie in no file, and nothing that is deleted is kept. Its ids are others than those of the
// data directory, by moved.
type memorySource struct {
	object  *bytes.Reader
	extents map[schema.RecordingID]mp4.Extent
	indexes map[schema.RecordingID][]byte
	entries map[int64]media.SampleEntry
	runs    map[int64]schema.Run
	streams []schema.Stream

	mu      sync.Mutex
	recs    map[int64][]schema.Recording // by stream, by start
	changes []schema.Change
}

const moved = 1000

// movedID is the id that a memorySource has for a recording.
func movedID(id schema.RecordingID) schema.RecordingID {
	return schema.MakeRecordingID(id.Stream()+moved, id.Number())
}

// loadSource reads a data directory, whose recordings all lie in its default sample directory.
func loadSource(t *testing.T, data string, rnd *rand.Rand) *memorySource {
	t.Helper()
	ctx := t.Context()
	db, err := schema.OpenReadOnly(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &memorySource{
		extents: map[schema.RecordingID]mp4.Extent{}, indexes: map[schema.RecordingID][]byte{}, entries: map[int64]media.SampleEntry{},
		runs: map[int64]schema.Run{}, recs: map[int64][]schema.Recording{},
	}
	streams, err := db.Streams(ctx)
	if err != nil {
		t.Fatal(err)
	}
	files := map[schema.RecordingID][]byte{}
	for _, stream := range streams {
		recs, err := db.StartingIn(ctx, stream.ID, 0, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		label := stream.Label()
		stream.ID += moved
		s.streams = append(s.streams, stream)
		for _, r := range recs {
			if files[movedID(r.ID)], err = os.ReadFile(filepath.Join(data, schema.DefaultSampleDir, label, "000", fmt.Sprintf("%06d.mp4", r.ID.Number()))); err != nil {
				t.Fatal(err)
			}
			s.take(t, db, r)
		}
	}
	s.pack(files, rnd)
	return s
}

// take takes in the row and the index of a recording, and what they refer to.
func (s *memorySource) take(t *testing.T, db *schema.DB, r schema.Recording) {
	t.Helper()
	packed, err := db.PackedIndex(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	run, err := db.Run(t.Context(), r.Run)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Tracks {
		e := &r.Tracks[i].Entry
		if s.entries[*e+moved], err = db.SampleEntry(t.Context(), *e); err != nil {
			t.Fatal(err)
		}
		*e += moved
	}
	r.ID, r.Run, r.Dir = movedID(r.ID), r.Run+moved, 0
	run.ID, run.Stream = r.Run, r.ID.Stream()
	s.indexes[r.ID], s.runs[run.ID] = packed, run
	s.recs[r.ID.Stream()] = append(s.recs[r.ID.Stream()], r)
}

// pack puts sample files into one object.
func (s *memorySource) pack(files map[schema.RecordingID][]byte, rnd *rand.Rand) {
	var object []byte
	ids := make([]schema.RecordingID, 0, len(files))
	for id := range files {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids {
		for range 1 + rnd.IntN(1000) {
			object = append(object, byte(rnd.Uint32()))
		}
		s.extents[id] = mp4.Extent{Offset: int64(len(object)), Length: int64(len(files[id]))}
		object = append(object, files[id]...)
	}
	s.object = bytes.NewReader(object)
}

func (s *memorySource) Streams(context.Context) ([]schema.Stream, error) { return s.streams, nil }

func (s *memorySource) startingIn(stream, from90k, to90k int64) (recs []schema.Recording) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.recs[stream] {
		if r.Start90k >= from90k && r.Start90k < to90k {
			recs = append(recs, r)
		}
	}
	return recs
}

func (s *memorySource) SomeStartingIn(_ context.Context, room *schema.Room, stream, from90k, to90k int64, most int) ([]schema.Recording, bool, error) {
	recs := s.startingIn(stream, from90k, to90k)
	return room.Copy(recs[:min(most, len(recs))]), len(recs) < most, nil
}

func (s *memorySource) FirstStart(_ context.Context, stream, from90k int64) (int64, bool, error) {
	recs := s.startingIn(stream, from90k, 1<<62)
	if len(recs) == 0 {
		return 0, false, nil
	}
	return recs[0].Start90k, true, nil
}

func (s *memorySource) LastSpan(_ context.Context, stream, before90k int64) (start90k, end90k int64, ok bool, err error) {
	for _, r := range s.startingIn(stream, 0, before90k) {
		start90k, end90k, ok = r.Start90k, r.End90k(), true
	}
	return start90k, end90k, ok, nil
}

func (s *memorySource) SampleEntry(_ context.Context, id int64) (media.SampleEntry, error) {
	e, ok := s.entries[id]
	if !ok {
		return e, fmt.Errorf("there is no sample entry %d", id)
	}
	return e, nil
}

func (s *memorySource) Run(_ context.Context, id int64) (schema.Run, error) {
	r, ok := s.runs[id]
	if !ok {
		return r, fmt.Errorf("there is no run %d", id)
	}
	return r, nil
}

func (s *memorySource) RunsWith(_ context.Context, stream, from90k, to90k int64) (runs []schema.RunSpan, err error) {
	for _, r := range s.startingIn(stream, from90k, to90k) {
		if !slices.ContainsFunc(runs, func(x schema.RunSpan) bool { return x.ID == r.Run }) {
			runs = append(runs, schema.RunSpan{Run: s.runs[r.Run]})
		}
	}
	for i := range runs {
		for _, r := range s.startingIn(stream, 0, 1<<62) {
			if r.Run == runs[i].ID {
				runs[i].End90k = r.End90k()
			}
		}
	}
	return runs, nil
}

func (s *memorySource) WithPackedIndex(_ context.Context, id schema.RecordingID, use func([]byte) error) error {
	packed, ok := s.indexes[id]
	if !ok {
		return fmt.Errorf("there is no index of recording %s", id)
	}
	return use(packed)
}

func (s *memorySource) Extents(_ context.Context, _ string, recs []schema.Recording, to []mp4.Extent) error {
	for i := range recs {
		to[i] = s.extents[recs[i].ID]
		to[i].Object = s.object
	}
	return nil
}

func (s *memorySource) Rev(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.changes)), nil
}

func (s *memorySource) ChangesSince(_ context.Context, rev int64) ([]schema.Change, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes[rev:]), true, nil
}

func (s *memorySource) Deleted(context.Context) ([]schema.RecordingID, error) { return nil, nil }
func (s *memorySource) Recorded() bool                                        { return false }
func (s *memorySource) Close() error                                          { return nil }

// remove deletes the first recording of a stream. Its bytes and its index stay.
func (s *memorySource) remove(stream int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.recs[stream][0]
	s.changes = append(s.changes, schema.Change{Rev: int64(len(s.changes) + 1), Recording: r.ID, Start90k: r.Start90k, Kind: schema.Deleted})
	s.recs[stream] = s.recs[stream][1:]
}

// unionSource takes the recordings with odd numbers from one source, and the others from a memorySource. Its ids are those of the
// first.
type unionSource struct {
	playback.Source
	far *memorySource
}

func isFar(id schema.RecordingID) bool { return id.Number()%2 == 0 }

func (u unionSource) SomeStartingIn(ctx context.Context, room *schema.Room, stream, from90k, to90k int64, most int) ([]schema.Recording, bool, error) {
	near, _, err := u.Source.SomeStartingIn(ctx, room, stream, from90k, to90k, 1<<30)
	if err != nil {
		return nil, false, err
	}
	recs := slices.Clone(slices.DeleteFunc(near, func(r schema.Recording) bool { return isFar(r.ID) }))
	for _, r := range u.far.startingIn(stream+moved, from90k, to90k) {
		if !isFar(r.ID) {
			continue
		}
		r.ID, r.Run, r.Tracks = schema.MakeRecordingID(stream, r.ID.Number()), r.Run-moved, slices.Clone(r.Tracks)
		for i := range r.Tracks {
			r.Tracks[i].Entry -= moved
		}
		recs = append(recs, r)
	}
	slices.SortFunc(recs, func(a, b schema.Recording) int {
		return cmp.Or(cmp.Compare(a.Start90k, b.Start90k), cmp.Compare(a.ID, b.ID))
	})
	return recs[:min(most, len(recs))], len(recs) < most, nil
}

func (u unionSource) WithPackedIndex(ctx context.Context, id schema.RecordingID, use func([]byte) error) error {
	if isFar(id) {
		return u.far.WithPackedIndex(ctx, movedID(id), use)
	}
	return u.Source.WithPackedIndex(ctx, id, use)
}

func (u unionSource) Extents(ctx context.Context, label string, recs []schema.Recording, to []mp4.Extent) error {
	if err := u.Source.Extents(ctx, label, recs, to); err != nil {
		return err
	}
	for i := range recs {
		if isFar(recs[i].ID) {
			to[i] = u.far.extents[movedID(recs[i].ID)]
			to[i].Object = u.far.object
		}
	}
	return nil
}
