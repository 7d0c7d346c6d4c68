package playback

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/schema"
)

// fileOf is a file that shows recordings.
func fileOf(t *testing.T, ids ...schema.RecordingID) *File {
	t.Helper()
	var parts []mp4.Part
	for i, id := range ids {
		parts = append(parts, mp4.Part{
			Run: int64(i), Extent: mp4.Extent{Object: &recordingPart{id: id}, Length: 10},
			Tracks: []mp4.TrackPart{{
				Entry: &media.SampleEntry{Kind: media.Video, Timescale: 90000, Box: []byte{0, 0, 0, 8, 'a', 'v', 'c', '1'}},
				Sums:  media.Sums{Samples: 1, Duration: 3000, LastDuration: 3000, Syncs: 1, Chunks: 1, ChunkRuns: 1},
			}},
		})
	}
	f, err := mp4.NewFile(parts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &File{File: f}
}

func TestReaders(t *testing.T) {
	var r readers
	now := time.Now()
	f, g := fileOf(t, 1, 2), fileOf(t, 3)
	if r.add(f) || r.add(g) {
		t.Error("something was deleted")
	}
	if open := r.delete(map[schema.RecordingID]bool{2: true}, now); len(open) != 2 {
		t.Errorf("%d files are open", len(open))
	}
	if !r.add(fileOf(t, 1, 2)) || r.add(fileOf(t, 1)) {
		t.Error("what was deleted just before is not known, or what was not is")
	}
	if !r.pin(f, 2) || !r.pin(f, 1) {
		t.Error("a file that is open is closed")
	}
	if files := r.of(map[schema.RecordingID]bool{2: true}); len(files) != 1 || files[0] != f {
		t.Errorf("recording 2 is kept for %v", files)
	}
	if pins := r.remove(f); len(pins) != 2 || r.pin(f, 2) || len(r.of(map[schema.RecordingID]bool{2: true})) > 0 {
		t.Errorf("for a file that is closed, %v was kept, or still is", pins)
	}
	r.delete(nil, now.Add(deletedKept+time.Second))
	if r.add(fileOf(t, 2)) {
		t.Error("what was deleted long ago is still known")
	}
}

// A file that is opened while something of it is deleted is found by whoever deletes it, or finds that out itself.
func TestNoReaderEscapes(t *testing.T) {
	for range 300 {
		var r readers
		f := fileOf(t, 1)
		var knows atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			if r.add(f) {
				knows.Store(true)
			}
		})
		wg.Go(func() {
			if len(r.delete(map[schema.RecordingID]bool{1: true}, time.Now())) > 0 {
				knows.Store(true)
			}
		})
		wg.Wait()
		if !knows.Load() {
			t.Fatal("nobody knows")
		}
	}
}
