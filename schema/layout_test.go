package schema

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"nvrfs/media"
)

func randomTracks(rnd *rand.Rand) []Track {
	tracks := make([]Track, rnd.IntN(maxTracks+1))
	for i := range tracks {
		t := &tracks[i]
		t.Entry, t.Start, t.Duration, t.FirstCTS = rnd.Int64(), int64(rnd.Uint64()), int64(rnd.Uint64()), int32(rnd.Uint32())
		t.TimeRuns = rnd.Uint32() >> rnd.IntN(32)
		for _, p := range t.counts() {
			*p = rnd.Uint32() >> rnd.IntN(32)
		}
		switch rnd.IntN(3) {
		case 0: // as a camera has it
			t.Samples = 1 + rnd.Uint32N(3000)
			t.TimeRuns = min(t.Samples-1, 1)
			t.Duration = int64(t.Samples-1)*int64(rnd.Uint32()>>rnd.IntN(32)) + int64(t.LastDuration)
		case 1:
			t.Runs = media.PackRuns(randomRuns(rnd))
		}
	}
	return tracks
}

func randomRuns(rnd *rand.Rand) (runs []media.Run) {
	for range rnd.IntN(media.MaxRuns + 1) {
		runs = append(runs, media.Run{Samples: rnd.Uint32() >> rnd.IntN(32), Duration: rnd.Uint32() >> rnd.IntN(32)})
	}
	return runs
}

const listedStream = 7

func randomListed(rnd *rand.Rand) Recording {
	return Recording{
		ID: MakeRecordingID(listedStream, rnd.Int64N(1<<32)), Run: rnd.Int64(), Dir: rnd.Int64N(9), Sequence: rnd.IntN(1 << 30), Start90k: int64(rnd.Uint64()) >> rnd.IntN(64),
		WallDuration90k: rnd.Int64N(1 << 40), HeaderBytes: rnd.Int64N(2000), Bytes: rnd.Int64(), Sealed: rnd.IntN(2) == 0, Tracks: randomTracks(rnd),
	}
}

// same makes recordings without tracks equal.
func same(a, b Recording) bool {
	return len(a.Tracks) == 0 && len(b.Tracks) == 0 && a.ID == b.ID || reflect.DeepEqual(a, b)
}

func TestListingOfAnything(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 0))
	var want []Recording
	packed := ""
	all := []Recording{
		{ID: MakeRecordingID(listedStream, 1)},
		{ID: MakeRecordingID(listedStream, math.MaxUint32), Start90k: math.MinInt64, Tracks: []Track{{
			Entry: math.MaxInt64, Sums: media.Sums{Start: math.MinInt64, Duration: math.MaxInt64, FirstCTS: math.MinInt32, ChunkRuns: math.MaxUint32, TimeRuns: math.MaxUint32},
		}}},
	}
	for range 300 {
		all = append(all, randomListed(rnd))
	}
	for i := range all {
		r := all[i]
		one := packListing(&r)
		if got, err := unpackRecording(listedStream, one); err != nil || !same(got, r) {
			t.Fatalf("%+v came back as %+v, %v", r, got, err)
		}
		for n := range one {
			if got, err := unpackRecording(listedStream, one[:n]); err == nil {
				t.Fatalf("%d of %d bytes gave %+v", n, len(one), got)
			}
		}
		if _, err := unpackRecording(listedStream, one+"!"); err == nil {
			t.Fatal("a byte too many is not noticed")
		}
		if strings.ContainsFunc(one, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Fatalf("%q is not printable ASCII", one)
		}
		packed += one + " "
		want = append(want, r)
	}
	packed = packed[:len(packed)-1]
	got, err := unpackListing(packed)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d recordings of %d came back: %v", len(got), len(want), err)
	}
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("%+v came back as %+v", want[i], got[i])
		}
	}
	for n := range 500 {
		if got, err := unpackListing(packed[:n]); err == nil && n > 0 && !same(got[len(got)-1], want[len(got)-1]) {
			t.Fatalf("%d bytes gave %+v", n, got)
		}
	}
}

// Every field of a Track, and of a Recording but its digest, is packed.
func TestListingHasEveryField(t *testing.T) {
	set := func(of reflect.Value, field reflect.StructField) {
		f := of.FieldByIndex(field.Index)
		switch {
		case field.Name == "ID":
			f.SetInt(int64(MakeRecordingID(listedStream, 7)))
		case field.Name == "Tracks":
			f.Set(reflect.ValueOf([]Track{{Entry: 7}}))
		case field.Type.Kind() == reflect.Bool:
			f.SetBool(true)
		case field.Type.Kind() == reflect.String:
			f.SetString(string(media.PackRuns([]media.Run{{Samples: 7, Duration: 7}})))
		case f.CanInt():
			f.SetInt(7)
		default:
			f.SetUint(7)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[Track](), reflect.TypeFor[Recording]()} {
		for _, field := range reflect.VisibleFields(of) {
			if field.Anonymous || field.Name == "Digest" {
				continue
			}
			want := Recording{ID: MakeRecordingID(listedStream, 1), Tracks: []Track{{}}}
			if of == reflect.TypeFor[Track]() {
				set(reflect.ValueOf(&want.Tracks[0]).Elem(), field)
			} else {
				set(reflect.ValueOf(&want).Elem(), field)
			}
			if got, err := unpackRecording(listedStream, packListing(&want)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v came back as %+v, %v", field.Name, want, got, err)
			}
		}
	}
}

func unpackListing(packed string) ([]Recording, error) {
	var room Room
	err := room.unpackListing(listedStream, packed)
	return room.recs, err
}

func FuzzUnpackListing(f *testing.F) {
	rnd := rand.New(rand.NewPCG(4, 0))
	for range 4 {
		r := randomListed(rnd)
		f.Add(packListing(&r))
	}
	f.Add(packListing(&Recording{Start90k: -1}))
	f.Fuzz(func(t *testing.T, packed string) {
		recs, err := unpackListing(packed)
		if err != nil {
			return
		}
		if 9*len(recs) > len(packed) {
			t.Errorf("%d bytes gave %d recordings", len(packed), len(recs))
		}
		for i := range recs {
			if recs[i].ID.Stream() != listedStream || recs[i].Sequence < 0 {
				continue // of a number that is none
			}
			if again, err := unpackRecording(listedStream, packListing(&recs[i])); err != nil || !same(again, recs[i]) {
				t.Errorf("%+v came back as %+v, %v", recs[i], again, err)
			}
		}
	})
}

// What old databases hold is read, or refused, whatever it is.
func FuzzUnpackLayout3(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{1, 2, 0, 0xc0, 0x9a, 0x0c, 0, 0x90, 0x1c, 0xdc, 0x0b, 30, 1, 0, 30, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}) // tracks
	f.Fuzz(func(t *testing.T, packed []byte) {
		if tracks, err := unpackLayout3(packed); err == nil && 11*len(tracks) > len(packed) {
			t.Errorf("%d bytes gave %d tracks", len(packed), len(tracks))
		}
	})
}
