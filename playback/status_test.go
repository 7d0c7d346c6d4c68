package playback_test

import (
	"testing"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

// Between two recordings, of which the second has no row yet, a stream is still being recorded.
func TestStatusBetweenRecordings(t *testing.T) {
	data := t.TempDir()
	g, err := footage.NewGrower(t.Context(), data, footage.Camera{Name: "cam", Tiny: true, Start: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock, err := dir.LockDir(data) // as a recorder has it
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // of a test
	growing := func() *playback.GrowingStatus {
		t.Helper()
		st, err := openLibrary(t, playback.Options{Data: data}).View(nil).Status(t.Context())
		if err != nil || len(st.Streams) != 1 {
			t.Fatal(st, err)
		}
		return st.Streams[0].Growing
	}
	before := growing()
	if err := g.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := growing(); before == nil || after == nil || *after != *before {
		t.Errorf("growing is %+v, and then %+v", before, after)
	}
	db, err := schema.OpenExisting(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(tx *schema.Tx) error { return tx.EndRun(1, "stopped") }); err != nil {
		t.Fatal(err)
	}
	if after := growing(); after != nil {
		t.Errorf("when the run has ended, growing is %+v", after)
	}
}
