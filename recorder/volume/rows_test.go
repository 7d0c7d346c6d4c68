package volume_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/internal/bench"
)

// TestRefusedRow has the database refuse a recording of one of two streams, again and again: the other one does not notice,
// and nothing is lost.
func TestRefusedRow(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	other := b.SecondStream()
	bench.Execute(t, b.Dir, `CREATE TRIGGER refuse BEFORE INSERT ON recording WHEN NEW.id >> 32 = 1 AND NEW.id & 255 = 2
		BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	c := bench.Camera{AudioRate: 48000}
	s, o := b.Session(c), other.Session()
	if err := o.Start(c.Tracks()); err != nil {
		t.Fatal(err)
	}
	var given []media.Sample
	for x := range c.Samples(45 * time.Second) {
		given = append(given, x)
		if err := errors.Join(s.Sample(x), o.Sample(x)); err != nil {
			t.Fatal(err)
		}
		if len(given)%500 == 0 {
			b.Commit()
		}
	}
	if err := errors.Join(s.Finish("stopped"), o.Finish("stopped")); err != nil {
		t.Fatal(err)
	}
	b.Commit()
	if recs := b.Recordings(); len(recs) != 1 || !recs[0].Sealed {
		t.Errorf("recordings %+v beside one that is refused", recs)
	}
	recs := bench.RowsOf(t, b.DB, other.Row.ID)
	for _, r := range recs {
		if !r.Sealed {
			t.Errorf("recording %s of the other stream is not sealed", r.ID)
		}
	}
	if run, err := b.DB.Run(t.Context(), recs[0].Run); len(recs) < 4 || err != nil || run.EndReason != "stopped" {
		t.Errorf("%d recordings of the other stream, run %+v, %v", len(recs), run, err)
	}
	if log := b.Log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "the database refuses a recording") || !strings.Contains(log, "stream cam:") || !strings.Contains(log, "not this one") {
		t.Error(log)
	}
	bench.Execute(t, b.Dir, `DROP TRIGGER refuse`)
	b.Commit()
	b.CheckShown(given, c.Tracks())
	b.CheckFiles()
	if got := bench.PlayBackStream(t, b.Dir, other.Row.Label()); len(got) != 1 {
		t.Errorf("the other stream has %d days", len(got))
	} else {
		bench.CompareShown(t, got[0], bench.WantShown(given, c.Tracks()))
	}
	if log := b.Log.String(); strings.Count(log, "\n") != 2 || !strings.Contains(log, "the database takes new footage of the stream again") {
		t.Error(log)
	}
	if files, _, runs := b.Writer.Left(); files != 0 || runs != 0 {
		t.Errorf("%d files, %d runs are left", files, runs)
	}
}

// TestRefusedRowAtStart has the database refuse what a crash left: the recorder starts all the same, and takes it in once the
// database does.
func TestRefusedRowAtStart(t *testing.T) {
	b := bench.New(t, 20*time.Second)
	given := b.Crash(bench.Camera{}, 15*time.Second)
	b.Writer.Abandon()
	dir := b.Copy()
	bench.Execute(t, dir, `CREATE TRIGGER refuse BEFORE INSERT ON recording BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	if log := bench.Reopen(t, dir); strings.Count(log, "the database refuses the row of a sample file") != 1 || !strings.Contains(log, "not this one") {
		t.Errorf("the log says %s", log)
	}
	bench.Execute(t, dir, `DROP TRIGGER refuse`)
	bench.Reopen(t, dir)
	if got := bench.Pictures(t, dir); len(got) == 0 || len(got) < len(given)-100 {
		t.Errorf("%d pictures of %d are there", len(got), len(given))
	}
}
