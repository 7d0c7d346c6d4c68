package playback_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/schema"
	sampledir "nvrfs/store/dir"
)

// A recording that is moved to another sample directory is read there, by files that were open before as well, and keeps its entry.
func TestMovedRecording(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: 3 * time.Minute})
	l := openLibrary(t, playback.Options{Data: dir, Poll: 5 * time.Millisecond})
	run(t, l)
	_, all := list(t, l, "cam")
	open := openEntry(t, l, all[0].Entry)
	want, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size()))
	if err != nil {
		t.Fatal(err)
	}

	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := sampledir.Attach(other, db.UUID()); err != nil {
		t.Fatal(err)
	}
	from, to := filepath.Join(dir, schema.DefaultSampleDir, "cam"), filepath.Join(other, "cam")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	told := make(chan bool, 100)
	defer l.Subscribe(func(news []playback.Change) {
		for _, c := range news {
			told <- c.Listed || c.Marked
		}
	})()
	err = db.Write(t.Context(), func(tx *schema.Tx) error {
		id, err := tx.SampleDir(other)
		for n := int64(1); n <= 3; n++ {
			err = errors.Join(err, tx.Move(schema.MakeRecordingID(1, n), id))
		}
		return err
	})
	if err := errors.Join(err, os.RemoveAll(from)); err != nil {
		t.Fatal(err)
	}
	select {
	case others := <-told:
		if others {
			t.Error("it is told as if other entries were listed, or marked")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is told")
	}
	got, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size()))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file that was open: %d bytes, %v", len(got), err)
	}
	_, again := list(t, l, "cam")
	if again[0].ETag != all[0].ETag {
		t.Errorf("the entry is %+v, it was %+v", again[0], all[0])
	}
	f := openEntry(t, l, again[0].Entry)
	if got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size())); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file that is opened again: %d bytes, %v", len(got), err)
	}
}

// Holds that come and go are told, and change no entry.
func TestMarksAreTold(t *testing.T) {
	dir := t.TempDir()
	makeFootage(t, dir, footage.Camera{Name: "cam", Tiny: true, Start: noon, Duration: time.Minute})
	l := openLibrary(t, playback.Options{Data: dir, Poll: 5 * time.Millisecond})
	run(t, l)
	_, before := list(t, l, "cam")
	told := make(chan playback.Change, 100)
	defer l.Subscribe(func(news []playback.Change) {
		for _, c := range news {
			told <- c
		}
	})()
	db, err := schema.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hold := schema.Hold{Stream: 1, From90k: media.FromTime(noon), To90k: media.FromTime(noon.Add(time.Hour)), Why: "test"}
	for _, change := range []func(*schema.Tx) error{
		func(tx *schema.Tx) (err error) {
			hold.ID, err = tx.Hold(hold)
			return err
		},
		func(tx *schema.Tx) error { return tx.RemoveHold(hold.ID) },
	} {
		if err := db.Write(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-told:
			if !c.Marked || c.Listed || c.Stream.Label != "cam" || c.Hour.Name != "12" {
				t.Errorf("told is %+v", c)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is told")
		}
	}
	if _, after := list(t, l, "cam"); after[0].ETag != before[0].ETag {
		t.Errorf("the entry is %+v, it was %+v", after[0], before[0])
	}
}
