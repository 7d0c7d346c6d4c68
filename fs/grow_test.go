package fs

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/media"
	"nvrfs/playback"
	"nvrfs/playback/marks"
	"nvrfs/schema"
	"nvrfs/store/dir"
)

var growStart = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

const (
	growDir  = "cam/2026-11-20/14"
	growFile = growDir + "/cam_2026-11-20_14-00-00.mp4"
)

// growing is a fixture with a stream that grows.
func growing(t *testing.T, still bool) (*fixture, *footage.Grower) {
	t.Helper()
	c := footage.Camera{Name: "cam", Start: growStart, Tiny: true, RecordingLength: 10 * time.Second}
	other := footage.Camera{Name: "other", Start: growStart, Duration: time.Minute, Tiny: true}
	f := newFixture(t, fixtureOptions{still: still, cameras: []footage.Camera{other}})
	g, err := footage.NewGrower(t.Context(), f.data, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	grow(t, g)
	if !still {
		eventually(t, "the stream is there", func() bool { _, err := os.Stat(f.path(growFile)); return err == nil })
	}
	return f, g
}

func grow(t *testing.T, g *footage.Grower) {
	t.Helper()
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) size(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(f.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestOpenFileKeepsItsVersion reads a file step by step while it grows.
func TestOpenFileKeepsItsVersion(t *testing.T) {
	f, g := growing(t, false)
	for range 5 {
		grow(t, g)
	}
	file, err := os.Open(f.path(growFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	part := make([]byte, opened.Size()/20)
	for {
		n, err := file.Read(part)
		got = append(got, part[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		before := f.size(t, growFile)
		grow(t, g)
		eventually(t, "the file is longer", func() bool { return f.size(t, growFile) > before })
		now, err := file.Stat()
		if err != nil || now.Size() != opened.Size() || !os.SameFile(now, opened) {
			t.Fatalf("the open file is another one now: %+v, %v", now, err)
		}
	}
	if int64(len(got)) != opened.Size() {
		t.Errorf("read %d bytes of %d", len(got), opened.Size())
	}
	again := make([]byte, opened.Size())
	if _, err := file.ReadAt(again, 0); err != nil || !bytes.Equal(again, got) {
		t.Errorf("the file reads differently a second time: %v", err)
	}
	entries := f.entries(t, "cam", "2026-11-20", "14")
	if newest := f.read(t, growFile); !bytes.Equal(newest, f.content(t, entries[0])) {
		t.Error("a new open does not read what there is now")
	}
}

// TestReadersOfGrowingFile has readers open, read and list while versions come and go.
func TestReadersOfGrowingFile(t *testing.T) {
	f, g := growing(t, false)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				readOnce(t, f)
			}
		})
	}
	for range 40 {
		before := f.size(t, growFile)
		grow(t, g)
		eventually(t, "the file is longer", func() bool { return f.size(t, growFile) > before })
	}
	close(stop)
	wg.Wait()
	if log := f.log.String(); log != "" {
		t.Errorf("it logged %s", log)
	}
}

func readOnce(t *testing.T, f *fixture) {
	f.names(t, growDir)
	file, err := os.Open(f.path(growFile))
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Error(err)
		return
	}
	b, err := io.ReadAll(file)
	if err != nil || int64(len(b)) != info.Size() {
		t.Errorf("read %d bytes of %d, %v", len(b), info.Size(), err)
		return
	}
	// The head and the body belong together: the length in the header of the mdat is that of what follows.
	if at := bytes.Index(b, []byte("mdat")); at < 0 || !mdatFits(b, at) {
		t.Errorf("a file of %d bytes with the head of another version", len(b))
	}
}

func mdatFits(b []byte, at int) bool {
	var n uint64
	for _, x := range b[at+4 : at+12] { // ISO/IEC 14496-12 4.2: a size of 64 bits stands behind the type
		n = n<<8 | uint64(x)
	}
	return n == uint64(len(b)-(at-4))
}

// TestListedVersion opens a file that has grown since it was looked up, which the library has not noticed.
func TestListedVersion(t *testing.T) {
	f, g := growing(t, true)
	before := f.size(t, growFile)
	for range 15 { // into the next recording
		grow(t, g)
	}
	if b := f.read(t, growFile); int64(len(b)) != before {
		t.Errorf("read %d bytes, want the %d of the version that was looked up", len(b), before)
	}
}

// TestStaleEntry opens a file part of which was deleted since it was looked up, which the library has not noticed: the open
// fails, the kernel looks the path up again, and opens what is there.
func TestStaleEntry(t *testing.T) {
	start := footage.Camera{Name: "cam", Start: growStart, Duration: 3 * time.Minute, Tiny: true}
	later := footage.Camera{Name: "cam", Start: growStart.Add(10 * time.Minute), Duration: time.Minute, Tiny: true}
	f := newFixture(t, fixtureOptions{still: true, cameras: []footage.Camera{start, later}})
	before := f.size(t, growFile)
	f.delete(t, "id = 1 << 32 | 3")
	if now := f.size(t, growFile); now != before {
		t.Fatalf("the size changed from %d to %d, though nobody looked", before, now)
	}
	b := f.read(t, growFile)
	if now := f.size(t, growFile); now != int64(len(b)) || now >= before {
		t.Errorf("read %d bytes, the size is %d, it was %d", len(b), now, before)
	}
}

// delete deletes the rows of recordings.
func (f *fixture) delete(t *testing.T, where string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(f.data, "nvrfs.db")+"?_foreign_keys=1&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		"INSERT INTO garbage (recording_id, dir_id, bytes, since_90k, samples) SELECT id, dir_id, bytes, 0, samples FROM recording JOIN recording_index ON recording_id = id WHERE ",
		"INSERT INTO change (recording_id, start_90k, kind) SELECT id, start_90k, 2 FROM recording WHERE ",
		"DELETE FROM recording WHERE ",
	} {
		if _, err := db.Exec(q + where); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewFootageIsListed lists directories that the kernel has kept.
func TestNewFootageIsListed(t *testing.T) {
	f, g := growing(t, false)
	has := func(name string, dir ...string) func() bool {
		return func() bool { return slices.Contains(f.names(t, dir...), name) }
	}
	infoDir := ".nvrfs/info/" + growDir
	for _, dir := range []string{"", "cam", growDir, infoDir, ".nvrfs/days", ".nvrfs/days/cam", ".nvrfs/clips"} {
		f.names(t, dir)
	}
	day := f.size(t, ".nvrfs/days/cam/2026-11-20.mp4")
	var info playback.Info
	infoNow := func() playback.Info {
		if err := json.Unmarshal(f.read(t, infoDir, "cam_2026-11-20_14-00-00.mp4.json"), &info); err != nil {
			t.Fatal(err)
		}
		return info
	}
	bytesBefore := infoNow().Bytes
	grow(t, g)
	eventually(t, "the whole day is longer", func() bool { return f.size(t, ".nvrfs/days/cam/2026-11-20.mp4") > day })
	eventually(t, "the description is newer", func() bool { return infoNow().Bytes > bytesBefore })

	second := "cam_2026-11-20_14-05-02.mp4"
	if _, err := os.Stat(f.path(growDir, second)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := g.Gap(t.Context(), 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	grow(t, g)
	eventually(t, "a new entry is listed", has(second, growDir))
	eventually(t, "its description is listed", has(second+".json", infoDir))
	f.size(t, growDir+"/"+second)

	if _, err := g.Gap(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	grow(t, g)
	eventually(t, "a new hour is listed", has("15", "cam/2026-11-20"))
	if _, err := g.Gap(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	grow(t, g)
	eventually(t, "a new day is listed", has("2026-11-21", "cam"))
	eventually(t, "a new day has a file", has("2026-11-21.mp4", ".nvrfs/days/cam"))

	if err := footage.Make(t.Context(), f.data, footage.Camera{Name: "new", Start: growStart, Duration: time.Second, Tiny: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new stream is listed", has("new"))
	eventually(t, "a new stream has clips", has("new", ".nvrfs/clips"))
}

// TestDeletedFootage deletes the rows of a whole day.
func TestDeletedFootage(t *testing.T) {
	f, _ := growing(t, false)
	f.names(t, "cam")
	f.delete(t, "stream_id = 2")
	for _, name := range []string{growFile, growDir, "cam/2026-11-20"} {
		eventually(t, name+" is gone", func() bool { _, err := os.Stat(f.path(name)); return errors.Is(err, fs.ErrNotExist) })
	}
	eventually(t, "the day is not listed", func() bool { return len(f.names(t, "cam")) == 0 })
}

// TestStatusIsThatOfNow reads status.json again and again, and looks at its size, while footage grows.
func TestStatusIsThatOfNow(t *testing.T) {
	f, g := growing(t, false)
	const name = ".nvrfs/status.json"
	bytesNow := func() int64 {
		var st playback.Status
		if err := json.Unmarshal(f.read(t, name), &st); err != nil {
			t.Fatal(err)
		}
		return st.Streams[0].Bytes
	}
	size, before := f.size(t, name), bytesNow()
	for range 3 {
		grow(t, g)
		eventually(t, "it has the new bytes", func() bool { return bytesNow() > before })
		before = bytesNow()
	}
	lock, err := dir.LockDir(f.data) // as a recorder has it, so that the file says what grows, and is longer
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // of a test
	eventually(t, "it is longer", func() bool { return f.size(t, name) > size+50 })
}

// TestInfoSaysMarksOfNow reads the info of an entry, which is sealed, while marks of it come, go on and end, as somebody has it open.
func TestInfoSaysMarksOfNow(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: []footage.Camera{{Name: "cam", Start: growStart, Duration: time.Minute, Tiny: true}}})
	const name = ".nvrfs/info/cam/2026-11-20/14/cam_2026-11-20_14-00-00.mp4.json"
	marksNow := func() []marks.Mark {
		t.Helper()
		var info playback.Info
		text := f.read(t, name)
		if err := json.Unmarshal(text, &info); err != nil {
			t.Fatal(err)
		}
		if size := f.size(t, name); size != int64(len(text)) {
			t.Errorf("its size is %d, of %d bytes", size, len(text))
		}
		return info.Marks
	}
	if m := marksNow(); len(m) != 0 {
		t.Errorf("at first: %+v", m)
	}
	start90k := media.FromTime(growStart)
	m := schema.Mark{Camera: "cam", Start90k: start90k + 90000, GoesOn: true, Kind: "motion"}
	m.ID = f.put(t, m)
	if got := marksNow(); len(got) != 1 || got[0].End != nil {
		t.Errorf("while it goes on: %+v", got)
	}
	open, err := os.Open(f.path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	other := schema.Mark{Camera: "cam", Start90k: start90k + 2*90000, GoesOn: true, Kind: "person"}
	other.ID = f.put(t, other)
	if got := marksNow(); len(got) != 2 {
		t.Errorf("while two go on: %+v", got)
	}
	m.GoesOn, m.End90k, other.GoesOn, other.End90k = false, start90k+5*90000, false, start90k+6*90000
	f.put(t, m)
	f.put(t, other)
	if got := marksNow(); len(got) != 2 || got[0].End == nil || got[1].End == nil {
		t.Errorf("at the end: %+v", got)
	}
}

// put writes a mark.
func (f *fixture) put(t *testing.T, m schema.Mark) (id int64) {
	t.Helper()
	db, err := schema.OpenExisting(t.Context(), f.data)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *schema.Tx) (err error) {
		id, err = tx.PutMark(m)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return id
}
