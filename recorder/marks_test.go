package recorder

import (
	"context"
	"slices"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
	"nvrfs/schema"
)

func (y *yard) mark(m schema.Mark) {
	y.t.Helper()
	err := y.r.Write(y.t.Context(), func(tx *schema.Tx) error {
		_, err := tx.PutMark(m)
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) marks(camera string) []schema.Mark {
	y.t.Helper()
	marks, err := y.r.set.DB.Marks(context.Background(), camera, 0, 1<<62, schema.MarkCursor{}, 100)
	if err != nil {
		y.t.Fatal(err)
	}
	return marks
}

// kinds says which marks are left of a camera.
func (y *yard) kinds(camera string) (kinds []string) {
	y.t.Helper()
	for _, m := range y.marks(camera) {
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

// Marks go after the footage of their camera, and those of other cameras stay.
func TestMarksGoWithTheirFootage(t *testing.T) {
	y := newYard(t, Options{Streams: append(streamsOf(Limits{Age: time.Hour}, "a"), streamsOf(Limits{}, "b", "new")...)})
	y.record(0, bench.Dawn, 5)() // ends at 0:00:50
	y.record(1, bench.Dawn, 5)()
	at := func(d time.Duration) int64 { return media.FromTime(bench.Dawn.Add(d)) }
	for _, camera := range []string{"a", "b", "new"} {
		y.mark(schema.Mark{Camera: camera, Start90k: at(time.Second), End90k: at(2 * time.Second), Kind: "old"})
		y.mark(schema.Mark{Camera: camera, Start90k: at(3 * time.Second), End90k: at(25 * time.Second), Kind: "long"})
		y.mark(schema.Mark{Camera: camera, Start90k: at(40 * time.Second), End90k: at(41 * time.Second), Kind: "young"})
	}
	all, left := []string{"old", "long", "young"}, []string{"long", "young"}
	y.round()
	if got := y.kinds("a"); !slices.Equal(got, all) {
		t.Errorf("while there is all footage, left are %q", got)
	}
	y.now = bench.Dawn.Add(time.Hour + 29*time.Second)
	y.round() // the footage before 0:00:20 goes
	y.now = y.now.Add(time.Minute)
	y.keep.marks90k = 0
	if err := y.keep.trimMarks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := y.kinds("a"); !slices.Equal(got, left) {
		t.Errorf("left are %q, want %q", got, left)
	}
	if got := y.kinds("b"); !slices.Equal(got, all) {
		t.Errorf("of another camera, left are %q", got)
	}
	if got := y.kinds("new"); len(got) != 0 {
		t.Errorf("of a camera without footage, an hour and more later, left are %q", got)
	}
}

// A recorder that was killed leaves marks that go on: the next one ends them with the newest footage of their camera.
func TestMarksOfAKilledRecorder(t *testing.T) {
	o := Options{Data: t.TempDir(), Streams: streamsOf(Limits{}, "a")}
	y := newYard(t, o)
	y.record(0, bench.Dawn, 3)()
	start90k := media.FromTime(bench.Dawn)
	y.mark(schema.Mark{Camera: "a", Start90k: start90k, GoesOn: true, Kind: "motion"})
	y.close()
	y = newYard(t, o)
	rows := bench.RowsOf(t, y.r.set.DB, y.r.streams[0].row.ID)
	want := rows[len(rows)-1].End90k()
	if m := y.marks("a")[0]; m.GoesOn || m.End90k != want || want <= start90k {
		t.Errorf("got %+v, want one that ends at %d", m, want)
	}
}
