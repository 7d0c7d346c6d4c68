package schema

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
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
	all := [][]Track{{}, {{Entry: math.MaxInt64, Start: math.MinInt64, Duration: math.MaxInt64, FirstCTS: math.MinInt32, ChunkRuns: math.MaxUint32}}}
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
	fields := reflect.TypeFor[Track]()
	for i := range fields.NumField() {
		var want Track
		f := reflect.ValueOf(&want).Elem().Field(i)
		if f.CanInt() {
			f.SetInt(7)
		} else {
			f.SetUint(7)
		}
		if got, err := unpackLayout(packLayout([]Track{want})); err != nil || got[0] != want {
			t.Errorf("%s: %+v came back as %+v, %v", fields.Field(i).Name, want, got, err)
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
