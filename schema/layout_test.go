package schema

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"nvrfs/media"
)

func randomTracks(rnd *rand.Rand) []Track {
	tracks := make([]Track, rnd.IntN(maxTracks+1))
	for i := range tracks {
		t := &tracks[i]
		t.Entry, t.Start, t.Duration, t.FirstCTS = rnd.Int64(), int64(rnd.Uint64()), int64(rnd.Uint64()), int32(rnd.Uint32())
		for _, p := range t.counts() {
			*p = rnd.Uint32() >> rnd.IntN(32)
		}
	}
	return tracks
}

func TestLayoutRoundTrip(t *testing.T) {
	all := [][]Track{{}, {{Entry: math.MaxInt64, Sums: media.Sums{Start: math.MinInt64, Duration: math.MaxInt64, FirstCTS: math.MinInt32, ChunkRuns: math.MaxUint32}}}}
	rnd := rand.New(rand.NewPCG(1, 0))
	for range 200 {
		all = append(all, randomTracks(rnd))
	}
	for _, want := range all {
		packed := packLayout(want)
		got, err := unpackLayout(packed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
		for n := range packed {
			if got, err := unpackLayout(packed[:n]); err == nil {
				t.Fatalf("%d of %d bytes gave %+v", n, len(packed), got)
			}
		}
		if _, err := unpackLayout(append(packed, 0)); err == nil {
			t.Fatal("a byte too many is not noticed")
		}
	}
}

// Every field of a Track is packed: one that is added is added here too.
func TestLayoutHasEveryField(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Track]()) {
		if field.Anonymous {
			continue // its fields come by themselves
		}
		var want Track
		f := reflect.ValueOf(&want).Elem().FieldByIndex(field.Index)
		if f.CanInt() {
			f.SetInt(7)
		} else {
			f.SetUint(7)
		}
		if got, err := unpackLayout(packLayout([]Track{want})); err != nil || got[0] != want {
			t.Errorf("%s: %+v came back as %+v, %v", field.Name, want, got, err)
		}
	}
}

func FuzzUnpackLayout(f *testing.F) {
	rnd := rand.New(rand.NewPCG(2, 0))
	for range 4 {
		f.Add(packLayout(randomTracks(rnd)))
	}
	f.Add(binary.AppendUvarint(nil, 1<<60)) // tracks
	f.Fuzz(func(t *testing.T, packed []byte) {
		tracks, err := unpackLayout(packed)
		if err != nil {
			return
		}
		again, err := unpackLayout(packLayout(tracks))
		if err != nil || !reflect.DeepEqual(again, tracks) {
			t.Errorf("%x is %+v, then %+v, %v", packed, tracks, again, err)
		}
	})
}

func TestListingOfAnything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 0))
	var want []Recording
	packed := ""
	for range 300 {
		r := Recording{
			ID: RecordingID(rnd.Int64()), Run: rnd.Int64(), Dir: rnd.Int64N(9), Sequence: rnd.IntN(1 << 30), Start90k: int64(rnd.Uint64()) >> rnd.IntN(64),
			WallDuration90k: rnd.Int64N(1 << 40), HeaderBytes: rnd.Int64N(2000), Bytes: rnd.Int64(), Sealed: rnd.IntN(2) == 0, Tracks: randomTracks(rnd),
		}
		packed += packListing(&r)
		want = append(want, r)
	}
	got, err := unpackListing(packed)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d recordings of %d came back: %v", len(got), len(want), err)
	}
	for i := range want {
		if len(want[i].Tracks) == 0 {
			got[i].Tracks, want[i].Tracks = nil, nil
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%+v came back as %+v", want[i], got[i])
		}
	}
	for n := range 500 {
		if got, err := unpackListing(packed[:n]); err == nil && n > 0 && !reflect.DeepEqual(got, want[:len(got)]) {
			t.Fatalf("%d bytes gave %+v", n, got)
		}
	}
}

func unpackListing(packed string) ([]Recording, error) {
	var room Room
	err := room.unpackListing(packed)
	return room.recs, err
}

// packListing is what the index has of a recording.
func packListing(r *Recording) string {
	layout, sealed := packLayout(r.Tracks), 0
	if r.Sealed {
		sealed = 1
	}
	return fmt.Sprintf("%x,%x,%x,%x,%x,%x,%x,%x,%x,%x,%s", int64(r.ID), r.Run, r.Dir, r.Sequence, uint64(r.Start90k), r.WallDuration90k,
		r.HeaderBytes, r.Bytes, sealed, len(layout), layout)
}

func FuzzUnpackListing(f *testing.F) {
	rnd := rand.New(rand.NewPCG(4, 0))
	for range 4 {
		f.Add(packListing(&Recording{ID: RecordingID(rnd.Int64()), Start90k: -1, Tracks: randomTracks(rnd)}))
	}
	f.Add("1,2,3,4,5,6,7,8,9,7fffffffffffffff,") // a layout that ends nowhere
	f.Fuzz(func(t *testing.T, packed string) {
		recs, err := unpackListing(packed)
		if err == nil && 11*len(recs) > len(packed) {
			t.Errorf("%d bytes gave %d recordings", len(packed), len(recs))
		}
	})
}
