package playback_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/playback/marks"
	"nvrfs/schema"
)

func putMarks(t *testing.T, dir string, rows ...schema.Mark) {
	t.Helper()
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		for _, m := range rows {
			if _, err := tx.PutMark(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func marksOf(t *testing.T, v *playback.View, camera string, from, to time.Time) (found []marks.Mark) {
	t.Helper()
	all, err := v.Marks(t.Context(), camera, from, to)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, m)
	}
	return found
}

var forEver = media.ToTime(math.MaxInt64 / 2)

// The info of an entry has the marks that overlap it, by start, and is told to change while one of them goes on.
func TestInfoHasMarks(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: 3 * time.Minute})
	l := openLibrary(t, playback.Options{Data: dir})
	v := l.View(nil)
	_, all := list(t, l, "cam")
	path := ".nvrfs/info/cam/" + all[0].day.Name + "/" + noon.In(l.Location()).Format("15") + "/" + all[0].Name + ".json"
	text := func() *playback.Text {
		t.Helper()
		n, _, err := v.Resolve(t.Context(), "/"+path)
		if err != nil {
			t.Fatal(err)
		}
		return n.Text
	}
	if x := text(); !strings.Contains(string(x.Bytes), `"marks": []`) || x.Changes {
		t.Errorf("changes %t: %s", x.Changes, x.Bytes)
	}
	start90k := media.FromTime(noon)
	mark := func(camera string, from, to time.Duration, kind string) schema.Mark {
		return schema.Mark{Camera: camera, Start90k: start90k + media.Ticks(from), End90k: start90k + media.Ticks(to), Kind: kind, Text: "x"}
	}
	putMarks(t, dir,
		mark("cam", time.Minute, 61*time.Second, "b"), mark("cam", -time.Minute, time.Second, "a"), mark("cam", 2*time.Minute, 10*time.Minute, "c"),
		mark("cam", -time.Minute, 0, "before"), mark("cam", 3*time.Minute, 4*time.Minute, "after"), mark("other", time.Minute, 2*time.Minute, "other"))
	info, err := v.Info(t.Context(), all[0].Entry)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range info.Marks {
		kinds = append(kinds, m.Kind)
	}
	if !slices.Equal(kinds, []string{"a", "b", "c"}) || !info.Marks[1].Start.Equal(noon.Add(time.Minute)) || !info.Marks[1].End.Equal(noon.Add(61*time.Second)) {
		t.Errorf("marks %+v", info.Marks)
	}
	if text().Changes {
		t.Error("it is told to change, though all marks have ended")
	}
	goesOn := mark("cam", time.Minute, 0, "motion")
	goesOn.GoesOn = true
	putMarks(t, dir, goesOn)
	if x := text(); !x.Changes || !strings.Contains(string(x.Bytes), `"end": null`) {
		t.Errorf("changes %t: %s", x.Changes, x.Bytes)
	}
}

// Marks of several cameras come by start, from more pages than one; a viewer sees those of the cameras that it may see.
func TestMarksOfCameras(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		makeFootage(t, dir, footage.Camera{Name: name, Tiny: true, Start: noon, Duration: time.Minute})
	}
	start90k, n := media.FromTime(noon), 2500
	var rows []schema.Mark
	for i := range n {
		at := start90k + int64(i)*90000
		rows = append(rows, schema.Mark{Camera: []string{"a", "b"}[i/3%2], Start90k: at, End90k: at + 5, Kind: "motion"})
	}
	putMarks(t, dir, rows...)
	l := openLibrary(t, playback.Options{Data: dir})
	got := marksOf(t, l.View(nil), "", time.Time{}.AddDate(1970, 0, 0), forEver)
	if len(got) != n {
		t.Fatalf("%d marks, want %d", len(got), n)
	}
	for i, m := range got {
		if want := noon.Add(time.Duration(i) * time.Second); !m.Start.Equal(want) || m.Camera != rows[i].Camera {
			t.Fatalf("mark %d is %+v, want one of %s at %v", i, m, rows[i].Camera, want)
		}
	}
	one := l.View(func(s playback.Stream) bool { return s.Camera == "b" })
	for _, m := range marksOf(t, one, "", noon, forEver) {
		if m.Camera != "b" {
			t.Fatalf("a viewer of b sees %+v", m)
		}
	}
	if _, err := one.Marks(t.Context(), "a", noon, forEver); !errors.Is(err, playback.ErrNotFound) {
		t.Errorf("a viewer of b asks for a: %v", err)
	}
	if path, err := one.PathAt(t.Context(), "a", noon.Add(time.Second)); path != "" || err != nil {
		t.Errorf("a viewer of b is told %q, %v", path, err)
	}
	path, err := one.PathAt(t.Context(), "b", noon.Add(time.Second))
	if n, _, errFound := one.Resolve(t.Context(), "/"+path); err != nil || errFound != nil || n.Entry == nil || !strings.HasPrefix(path, "b/") {
		t.Errorf("%q, %v, %v", path, err, errFound)
	}
}
