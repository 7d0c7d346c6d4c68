package recorder

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// checkAt runs Check and returns what it finds.
func checkAt(t *testing.T, dir string, level Level) (found []string) {
	t.Helper()
	_, err := Check(t.Context(), dir, CheckOptions{
		Level: level, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p Problem) { found = append(found, p.String()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// repairAt runs Repair and returns what it says.
func repairAt(t *testing.T, dir string, level Level) (said []string, left int, err error) {
	t.Helper()
	_, left, err = Repair(t.Context(), dir, RepairOptions{
		CheckOptions: CheckOptions{
			Level: level, Log: slog.New(slog.DiscardHandler), Total: func(int64) {}, Checked: func(int64) {},
			Found: func(p Problem) { said = append(said, p.String()) },
		},
		Plan: func(p Problem, action string) { said = append(said, "plan "+p.Place()+": "+action) },
		Done: func(p Problem, _ string, err error) { said = append(said, fmt.Sprintf("done %s: %v", p.Place(), err)) },
	})
	return said, left, err
}

// damage changes a data directory of which nobody has the database open.
type damage struct {
	t   *testing.T
	dir string
}

func (d damage) path(number int64) string {
	return filepath.Join(d.dir, schema.DefaultSampleDir, "cam", "000", fmt.Sprintf("%06d.mp4", number))
}

func (d damage) edit(number int64, f func(file []byte) []byte) {
	d.t.Helper()
	file, err := os.ReadFile(d.path(number))
	if err == nil {
		err = os.WriteFile(d.path(number), f(file), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// flip changes one byte behind the nth occurrence of a box's type, from 0.
func (d damage) flip(number int64, box string, nth, behind int) {
	d.t.Helper()
	d.edit(number, func(p []byte) []byte {
		at := -1
		for range nth + 1 {
			at += 1 + bytes.Index(p[at+1:], []byte(box))
		}
		p[at+behind] ^= 1
		return p
	})
}

// cut cuts a file off in the middle of the fragment that follows a number of whole ones.
func (d damage) cut(number int64, whole int) {
	d.t.Helper()
	d.edit(number, func(p []byte) []byte {
		at := -1
		for range whole + 1 {
			at += 1 + bytes.Index(p[at+1:], []byte("prft"))
		}
		return p[:at+100]
	})
}

// row changes what the row of a recording says.
func (d damage) row(number int64, change func(*schema.Recording)) {
	d.t.Helper()
	ctx := d.t.Context()
	db, err := schema.OpenExisting(ctx, d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	streams, err := db.Streams(ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	id := schema.MakeRecordingID(streams[0].ID, number)
	r, ok, err := db.Recording(ctx, id)
	if err != nil || !ok {
		d.t.Fatal(ok, err)
	}
	packed, err := db.PackedIndex(ctx, id)
	if err != nil {
		d.t.Fatal(err)
	}
	change(&r)
	err = db.Write(ctx, func(tx *schema.Tx) error { return errors.Join(tx.Forget(id), tx.PutRecording(&r, packed)) })
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d damage) sql(q string, args ...any) {
	d.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(d.dir, schema.FileName))
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = db.Exec("PRAGMA foreign_keys = ON; "+q, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		d.t.Fatal(err)
	}
}

// TestDamage plants each damage, has every level look for it, and repairs it.
func TestDamage(t *testing.T) {
	b := newBench(t, 10*time.Second)
	given := b.record(simCamera{audioRate: 48000}, 45*time.Second) // 250 pictures a recording, 50 a fragment
	var all []string
	for _, x := range given {
		if x.Track == video {
			all = append(all, string(x.Data))
		}
	}
	rows, entries := b.recordings(), entriesOf(t, b.copy())
	for name, c := range map[string]struct {
		plant func(damage)
		level Level  // the first that finds it
		want  string // how its finding starts
		plan  string // how what is done about it starts
		aside bool
		lost  [2]int // pictures
	}{
		"the file is missing": {
			func(d damage) { os.Remove(d.path(3)) }, Presence, "cam/3: the sample file is missing", "remove the row; its", false, [2]int{500, 750},
		},
		"the row is missing": {
			func(d damage) {
				d.sql(`DELETE FROM recording WHERE id & 255 = 3; UPDATE stream SET recordings = recordings - 1, bytes = bytes - ?`, rows[2].Bytes)
			},
			Presence, "cam/3: the sample file has no row", "write the row anew", false,
			[2]int{},
		},
		"a file of something else without a row": {
			func(d damage) {
				d.sql(`UPDATE stream SET next_number = 20`)
				os.WriteFile(d.path(15), []byte("x"), 0o600)
			},
			Presence, "cam/15: the sample file has no row", "set the file aside", true,
			[2]int{},
		},
		"the end of the file is missing": {
			func(d damage) { d.cut(3, 3) },
			Size, "cam/3: the sample file has ", "set the file aside, and write", true,
			[2]int{650, 750},
		},
		"the end of the last file is missing": {
			func(d damage) { d.cut(5, 2) },
			Size, "cam/5: the sample file has ", "set the file aside, and write", true,
			[2]int{1100, 1125},
		},
		"nothing of the file is there": {
			func(d damage) { d.edit(3, func(p []byte) []byte { return p[:100] }) },
			Size, "cam/3: the sample file has ", "set the file aside, nothing of it is whole, and remove the row", true,
			[2]int{500, 750},
		},
		"the seal is missing": {
			func(d damage) { d.edit(3, func(p []byte) []byte { return p[:rows[2].Bytes] }) },
			Size, "cam/3: the sample file has no seal", "set the file aside, and write", true,
			[2]int{},
		},
		"the last seal is missing": {
			func(d damage) { d.edit(5, func(p []byte) []byte { return p[:rows[4].Bytes] }) },
			Size, "cam/5: the sample file has no seal", "set the file aside, and write", true,
			[2]int{},
		},
		"something is behind the seal": {
			func(d damage) { d.edit(3, func(p []byte) []byte { return append(p, 0) }) },
			Size, "cam/3: the sample file does not end as recorded", "set the file aside, and write", true,
			[2]int{},
		},
		"the header is damaged": {
			func(d damage) { d.flip(3, "mdhd", 0, 10) },
			Index, "cam/3: not a sample file", "set the file aside, and write", true,
			[2]int{},
		},
		"the header of the first file, and a sample, are damaged": {
			func(d damage) {
				d.flip(1, "mdhd", 0, 10)
				d.flip(1, "mdat", 2, 500)
			},
			Index, "cam/1: not a sample file", "set the file aside, and write", true,
			[2]int{100, 150},
		},
		"the header and the first sample are damaged": {
			func(d damage) {
				d.flip(3, "mdhd", 0, 10)
				d.flip(3, "mdat", 0, 500)
			},
			Index, "cam/3: not a sample file", "set the file aside, and write", true,
			[2]int{500, 550},
		},
		"the times of a fragment are damaged": {
			func(d damage) { d.flip(3, "trun", 4, 23) },
			Index, "cam/3: the s", "set the file aside, and write", true,
			[2]int{600, 650},
		},
		"the index is damaged": {
			func(d damage) { d.sql(`UPDATE recording_index SET samples = x'0102' WHERE recording_id & 255 = 3`) },
			Index, "cam/3: the index is damaged", "write the row anew", false,
			[2]int{},
		},
		"the index is that of another recording": {
			func(d damage) {
				d.sql(`UPDATE recording_index SET samples = (SELECT samples FROM recording_index WHERE recording_id & 255 = 2) WHERE recording_id & 255 = 3`)
			},
			Index, "cam/3: ", "write the row anew", false,
			[2]int{},
		},
		"the row has another time": {
			func(d damage) { d.row(3, func(r *schema.Recording) { r.WallDuration90k = 90000 }) },
			Index, "cam/3: the seal of the sample file says another time", "write the row anew", false,
			[2]int{},
		},
		"the row has another place in its run": {
			func(d damage) { d.row(3, func(r *schema.Recording) { r.Sequence = 77 }) },
			Index, "cam/3: the sample file is number 2 of run", "write the row anew", false,
			[2]int{},
		},
		"a sample is damaged": {
			func(d damage) { d.flip(3, "mdat", 2, 500) },
			Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{600, 650},
		},
		"the first fragment is damaged": {
			func(d damage) { d.flip(3, "mdat", 0, 500) },
			Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{500, 550},
		},
		"the last fragment is damaged": {
			func(d damage) { d.flip(3, "mdat", 4, 500) },
			Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{700, 750},
		},
		"all fragments are damaged": {
			func(d damage) {
				for i := range 5 {
					d.flip(3, "mdat", i, 500)
				}
			},
			Hash, "cam/3: the sample file is damaged at byte", "set the file aside, nothing of it is whole, and remove the row", true,
			[2]int{500, 750},
		},
		"fragments of the last file are damaged": {
			func(d damage) { d.flip(5, "mdat", 0, 500) },
			Hash, "cam/5: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{1000, 1050},
		},
		"the digest is another": {
			func(d damage) { d.sql(`UPDATE recording SET digest = x'00' WHERE id & 255 = 3`) },
			Hash, "cam/3: the digest of the sample file is", "write the row anew", false,
			[2]int{},
		},
		"the sums of the stream are wrong": {
			func(d damage) { d.sql(`UPDATE stream SET bytes = bytes + 1`) },
			Hash, "cam: its sums are wrong", "count its recordings anew", false,
			[2]int{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := damage{t, b.copy()}
			c.plant(d)
			before := map[int64][]byte{}
			for _, n := range []int64{3, 5, 15} {
				before[n], _ = os.ReadFile(d.path(n))
			}
			for level := Presence; level <= Hash; level++ {
				found := checkAt(t, d.dir, level)
				if level < c.level && len(found) > 0 || level >= c.level && (len(found) == 0 || !strings.HasPrefix(found[0], c.want)) {
					t.Errorf("level %v finds %q", level, found)
				}
			}
			said, left, err := repairAt(t, d.dir, c.level)
			if err != nil || left > 0 || !strings.Contains(strings.Join(said, "\n"), ": "+c.plan) {
				t.Errorf("%d left, %v: %q", left, err, said)
			}
			noProblems(t, d.dir)
			want := append(append([]string(nil), all[:c.lost[0]]...), all[c.lost[1]:]...)
			if got := pictures(t, d.dir); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d pictures, want %d", len(got), len(want))
			}
			if got := entriesOf(t, d.dir); c.lost == [2]int{} && got != entries {
				t.Errorf("nothing is lost, the entries were\n%sthey are\n%s", entries, got)
			}
			d.checkAside(c.aside, before)
			if log := reopen(t, d.dir); strings.Contains(log, "ERROR") {
				t.Error(log)
			}
			sameAfterRebuild(t, d.dir)
		})
	}
}

// checkAside checks that what was damaged is kept as it was, or that nothing was set aside.
func (d damage) checkAside(want bool, before map[int64][]byte) {
	d.t.Helper()
	left, _ := filepath.Glob(filepath.Join(d.dir, schema.DefaultSampleDir, "cam", "000", "*.damaged*"))
	if (len(left) == 1) != want {
		d.t.Errorf("set aside is %v", left)
	}
	for n, content := range before {
		if kept, err := os.ReadFile(d.path(n) + ".damaged"); err == nil && !bytes.Equal(kept, content) {
			d.t.Errorf("recording %d is not set aside as it was", n)
		}
	}
}

// TestCheckWithoutADisk has the disk of a stream away: that is said once, and repair does nothing about it.
func TestCheckWithoutADisk(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 45*time.Second)
	second := filepath.Join(t.TempDir(), "second")
	other := b.elsewhere(second, "sub")
	other.crash(simCamera{}, 35*time.Second)
	other.disk.commit()
	dir := b.copy()
	back := away(t, second)
	want := "cam.sub: of 4 recordings the sample directory " + second + " is not there"
	for level := Presence; level <= Hash; level++ {
		if found := checkAt(t, dir, level); len(found) != 1 || found[0] != want {
			t.Errorf("level %v finds %q", level, found)
		}
	}
	said, left, err := repairAt(t, dir, Hash)
	if err != nil || left != 1 || len(said) != 2 || !strings.HasPrefix(said[1], "plan cam.sub: nothing: mount the disk") {
		t.Errorf("%d left, %v: %q", left, err, said)
	}
	back()
	noProblems(t, dir)
}

func TestRepairIsRefusedWhileRecording(t *testing.T) {
	b := newBench(t, 10*time.Second)
	lock, err := dir.LockDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, _, err := repairAt(t, b.dir, Size); !errors.Is(err, store.ErrLocked) {
		t.Error(err)
	}
}

// meanwhile is a Store during whose calls something happens.
type meanwhile struct {
	store.Store
	size, open func(k store.Key)
}

func (m *meanwhile) Size(k store.Key) (int64, error) {
	m.size(k)
	return m.Store.Size(k)
}

func (m *meanwhile) Open(k store.Key) (store.Reader, error) {
	m.open(k)
	return m.Store.Open(k)
}

// TestCheckWhileRecording deletes one recording and goes on with another while they are looked at.
func TestCheckWhileRecording(t *testing.T) {
	b := newBench(t, 10*time.Second)
	s := b.session(simCamera{})
	feed := func(from, to time.Duration) {
		t.Helper()
		for x := range (simCamera{}).samples(to) {
			if x.DTS >= media.Ticks(from) {
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.disk.writeAll()
		b.disk.commit()
	}
	feed(0, 35*time.Second)
	remove := func(number int64) {
		r := b.recordings()[0]
		err := b.db.Write(context.Background(), func(tx *schema.Tx) error {
			return tx.Delete(schema.Victim{ID: r.ID, Start90k: r.Start90k, Bytes: r.Bytes}, 0)
		})
		if err := errors.Join(err, os.Remove(b.path(number))); err != nil {
			t.Fatal(err)
		}
	}
	happened := map[string]bool{}
	once := func(what string, f func()) {
		if !happened[what] {
			happened[what] = true
			f()
		}
	}
	st := &meanwhile{Store: b.store}
	st.size = func(k store.Key) {
		if k.Number == 1 {
			once("deleted", func() { remove(1) })
		}
	}
	st.open = func(k store.Key) {
		if k.Number == 4 {
			once("grown", func() { feed(35*time.Second, 39*time.Second) })
		}
	}
	c := checker{db: b.db, dirs: map[int64]sampleDir{1: {store: st}}, o: CheckOptions{
		Level: Hash, Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p Problem) { t.Error(p) },
	}}
	if err := c.run(t.Context()); err != nil || !happened["deleted"] || !happened["grown"] {
		t.Errorf("%v, %v", happened, err)
	}
}

// TestDigests checks that what the disk digests while it appends is what the file holds.
func TestDigests(t *testing.T) {
	b := newBench(t, 10*time.Second)
	b.record(simCamera{}, 25*time.Second)
	for _, row := range b.recordings() {
		r, ok, err := b.db.Recording(t.Context(), row.ID)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		file, err := os.ReadFile(b.path(r.ID.Number()))
		if err != nil {
			t.Fatal(err)
		}
		h := newDigest()
		h.Write(file[:r.Bytes])
		if !r.Sealed || !bytes.Equal(r.Digest, h.Sum(nil)) || len(r.Digest) != 32 {
			t.Errorf("recording %s has digest %x, its file %x", r.ID, r.Digest, h.Sum(nil))
		}
	}
}
