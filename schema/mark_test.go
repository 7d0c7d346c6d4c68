package schema

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func putMark(t *testing.T, db *DB, m Mark) (id int64) {
	t.Helper()
	write(t, db, func(tx *Tx) (err error) {
		id, err = tx.PutMark(m)
		return err
	})
	return id
}

func allMarks(t *testing.T, db *DB, camera string) []Mark {
	t.Helper()
	marks, err := db.Marks(t.Context(), camera, 0, 1<<62, MarkCursor{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func TestMarkRoundTrip(t *testing.T) {
	db := create(t, t.TempDir())
	m := Mark{Camera: "barn", Start90k: 10, GoesOn: true, Kind: "motion", Text: "RuleEngine/CellMotionDetector/Motion"}
	m.ID = putMark(t, db, m)
	if got := allMarks(t, db, "barn"); !slices.Equal(got, []Mark{m}) {
		t.Errorf("got %+v, want %+v", got, m)
	}
	m.GoesOn, m.End90k = false, 20
	putMark(t, db, m)
	if got := allMarks(t, db, "barn"); !slices.Equal(got, []Mark{m}) {
		t.Errorf("got %+v, want %+v", got, m)
	}
	if got := allMarks(t, db, "bar"); len(got) > 0 {
		t.Errorf("another camera has %+v", got)
	}
}

// Whatever marks there are, the pages of any range hold those that have a part in it, in order, and each once.
func TestMarksOfARange(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	db := create(t, t.TempDir())
	const span = 10 * longMark90k
	var all []Mark
	write(t, db, func(tx *Tx) error {
		for range 400 {
			m := Mark{Camera: "a", Start90k: rnd.Int64N(span/1000) * 1000, Kind: "motion"}
			switch rnd.IntN(10) {
			case 0:
				m.GoesOn = true
			case 1:
				m.End90k = m.Start90k + rnd.Int64N(5*longMark90k)
			case 2:
				m.End90k = m.Start90k
			default:
				m.End90k = m.Start90k + rnd.Int64N(longMark90k/60)
			}
			id, err := tx.PutMark(m)
			if err != nil {
				return err
			}
			m.ID = id
			all = append(all, m)
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b Mark) int { return int(a.Start90k - b.Start90k) })
	for range 200 {
		from := rnd.Int64N(span)
		to := from + rnd.Int64N(span/4)
		if rnd.IntN(4) == 0 {
			from = all[rnd.IntN(len(all))].Start90k
		}
		var want []Mark
		for _, m := range all {
			if m.Start90k < to && (m.GoesOn || m.End90k > from || m.Start90k >= from) {
				want = append(want, m)
			}
		}
		var got []Mark
		most, after := 1+rnd.IntN(40), MarkCursor{}
		for {
			page, err := db.Marks(t.Context(), "a", from, to, after, most)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < most {
				break
			}
			after = page[len(page)-1].Cursor()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: from %d to %d by %d: got %d marks, want %d", seed, from, to, most, len(got), len(want))
		}
	}
}

// Marks that go on when the recorder is killed end with the newest footage of the camera, and never before they start.
func TestEndMarks(t *testing.T) {
	s := newScene(t, t.TempDir())
	s.put(t, s.recording(1, true)) // until the end of minute 1
	putMark(t, s.db, Mark{Camera: "front-door", Start90k: minute90k, GoesOn: true})
	putMark(t, s.db, Mark{Camera: "front-door", Start90k: 3 * minute90k, GoesOn: true})
	putMark(t, s.db, Mark{Camera: "front-door", Start90k: 5, End90k: 6})
	putMark(t, s.db, Mark{Camera: "gone", Start90k: 7, GoesOn: true})
	write(t, s.db, func(tx *Tx) error { return tx.EndMarks() })
	var ends []int64
	for _, m := range append(allMarks(t, s.db, "front-door"), allMarks(t, s.db, "gone")...) {
		if m.GoesOn {
			t.Errorf("%+v goes on", m)
		}
		ends = append(ends, m.End90k)
	}
	if want := []int64{6, 2 * minute90k, 3 * minute90k, 7}; !slices.Equal(ends, want) {
		t.Errorf("they end at %d, want %d", ends, want)
	}
}

func TestDeleteMarks(t *testing.T) {
	s := newScene(t, t.TempDir())
	write(t, s.db, func(tx *Tx) error {
		_, err := tx.Stream("new", "main")
		return err
	})
	s.put(t, s.recording(10, true))
	s.put(t, s.recording(11, true))
	for _, m := range []Mark{
		{Camera: "front-door", Start90k: 1, End90k: 2},
		{Camera: "front-door", Start90k: 3, End90k: 10*minute90k - 1},
		{Camera: "front-door", Start90k: 4, End90k: 10 * minute90k}, // reaches the oldest footage
		{Camera: "front-door", Start90k: 5, GoesOn: true},
		{Camera: "front-door", Start90k: 10 * minute90k, End90k: 10 * minute90k},
		{Camera: "new", Start90k: 1, End90k: 2},
		{Camera: "new", Start90k: 98, End90k: 100},
	} {
		putMark(t, s.db, m)
	}
	starts := func() (starts []int64) {
		for _, m := range append(allMarks(t, s.db, "front-door"), allMarks(t, s.db, "new")...) {
			starts = append(starts, m.Start90k)
		}
		return starts
	}
	write(t, s.db, func(tx *Tx) error { return tx.DeleteMarks(50, 1) })
	if got, want := starts(), []int64{3, 4, 5, 10 * minute90k, 98}; !slices.Equal(got, want) {
		t.Errorf("left are %d, want %d", got, want)
	}
	write(t, s.db, func(tx *Tx) error { return tx.DeleteMarks(50, 10) })
	if got, want := starts(), []int64{4, 5, 10 * minute90k, 98}; !slices.Equal(got, want) {
		t.Errorf("left are %d, want %d", got, want)
	}
}
