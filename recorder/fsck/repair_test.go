package fsck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/fsck"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
	"nvrfs/store/dir"
)

// TestDamage plants each damage, has every level look for it, and repairs it.
func TestDamage(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	given := b.Record(bench.Camera{AudioRate: 48000}, 45*time.Second) // 250 pictures a recording, 50 a fragment
	var all []string
	for _, x := range given {
		if x.Track == volume.Video {
			all = append(all, string(x.Data))
		}
	}
	rows, entries := b.Recordings(), bench.EntriesOf(t, b.Copy())
	for name, c := range map[string]struct {
		plant func(bench.Damage)
		level fsck.Level // the first that finds it
		want  string     // how its finding starts
		plan  string     // how what is done about it starts
		aside bool
		lost  [2]int // pictures
	}{
		"the file is missing": {
			func(d bench.Damage) { os.Remove(d.Path(3)) }, fsck.Presence, "cam/3: the sample file is missing", "remove the row; its", false, [2]int{500, 750},
		},
		"the row is missing": {
			func(d bench.Damage) {
				d.SQL(`DELETE FROM recording WHERE id & 255 = 3; UPDATE stream SET recordings = recordings - 1, bytes = bytes - ?`, rows[2].Bytes)
			},
			fsck.Presence, "cam/3: the sample file has no row", "write the row anew", false,
			[2]int{},
		},
		"a file of something else without a row": {
			func(d bench.Damage) {
				d.SQL(`UPDATE stream SET next_number = 20`)
				os.WriteFile(d.Path(15), []byte("x"), 0o600)
			},
			fsck.Presence, "cam/15: the sample file has no row", "set the file aside", true,
			[2]int{},
		},
		"the end of the file is missing": {
			func(d bench.Damage) { d.Cut(3, 3) },
			fsck.Size, "cam/3: the sample file has ", "set the file aside, and write", true,
			[2]int{650, 750},
		},
		"the end of the last file is missing": {
			func(d bench.Damage) { d.Cut(5, 2) },
			fsck.Size, "cam/5: the sample file has ", "set the file aside, and write", true,
			[2]int{1100, 1125},
		},
		"nothing of the file is there": {
			func(d bench.Damage) { d.Edit(3, func(p []byte) []byte { return p[:100] }) },
			fsck.Size, "cam/3: the sample file has ", "set the file aside, nothing of it is whole, and remove the row", true,
			[2]int{500, 750},
		},
		"the seal is missing": {
			func(d bench.Damage) { d.Edit(3, func(p []byte) []byte { return p[:rows[2].Bytes] }) },
			fsck.Size, "cam/3: the sample file has no seal", "set the file aside, and write", true,
			[2]int{},
		},
		"the last seal is missing": {
			func(d bench.Damage) { d.Edit(5, func(p []byte) []byte { return p[:rows[4].Bytes] }) },
			fsck.Size, "cam/5: the sample file has no seal", "set the file aside, and write", true,
			[2]int{},
		},
		"something is behind the seal": {
			func(d bench.Damage) { d.Edit(3, func(p []byte) []byte { return append(p, 0) }) },
			fsck.Size, "cam/3: the sample file does not end as recorded", "set the file aside, and write", true,
			[2]int{},
		},
		"the header is damaged": {
			func(d bench.Damage) { d.Flip(3, "mdhd", 0, 10) },
			fsck.Index, "cam/3: not a sample file", "set the file aside, and write", true,
			[2]int{},
		},
		"the header of the first file, and a sample, are damaged": {
			func(d bench.Damage) {
				d.Flip(1, "mdhd", 0, 10)
				d.Flip(1, "mdat", 2, 500)
			},
			fsck.Index, "cam/1: not a sample file", "set the file aside, and write", true,
			[2]int{100, 150},
		},
		"the header and the first sample are damaged": {
			func(d bench.Damage) {
				d.Flip(3, "mdhd", 0, 10)
				d.Flip(3, "mdat", 0, 500)
			},
			fsck.Index, "cam/3: not a sample file", "set the file aside, and write", true,
			[2]int{500, 550},
		},
		"the times of a fragment are damaged": {
			func(d bench.Damage) { d.Flip(3, "trun", 4, 23) },
			fsck.Index, "cam/3: the s", "set the file aside, and write", true,
			[2]int{600, 650},
		},
		"the index is damaged": {
			func(d bench.Damage) {
				d.SQL(`UPDATE recording_index SET samples = x'0102' WHERE recording_id & 255 = 3`)
			},
			fsck.Index, "cam/3: the index is damaged", "write the row anew", false,
			[2]int{},
		},
		"the index is that of another recording": {
			func(d bench.Damage) {
				d.SQL(`UPDATE recording_index SET samples = (SELECT samples FROM recording_index WHERE recording_id & 255 = 2) WHERE recording_id & 255 = 3`)
			},
			fsck.Index, "cam/3: ", "write the row anew", false,
			[2]int{},
		},
		"the row has another time": {
			func(d bench.Damage) { d.Row(3, func(r *schema.Recording) { r.WallDuration90k = 90000 }) },
			fsck.Index, "cam/3: the seal of the sample file says another time", "write the row anew", false,
			[2]int{},
		},
		"the row has another place in its run": {
			func(d bench.Damage) { d.Row(3, func(r *schema.Recording) { r.Sequence = 77 }) },
			fsck.Index, "cam/3: the sample file is number 2 of run", "write the row anew", false,
			[2]int{},
		},
		"a sample is damaged": {
			func(d bench.Damage) { d.Flip(3, "mdat", 2, 500) },
			fsck.Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{600, 650},
		},
		"the first fragment is damaged": {
			func(d bench.Damage) { d.Flip(3, "mdat", 0, 500) },
			fsck.Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{500, 550},
		},
		"the last fragment is damaged": {
			func(d bench.Damage) { d.Flip(3, "mdat", 4, 500) },
			fsck.Hash, "cam/3: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{700, 750},
		},
		"all fragments are damaged": {
			func(d bench.Damage) {
				for i := range 5 {
					d.Flip(3, "mdat", i, 500)
				}
			},
			fsck.Hash, "cam/3: the sample file is damaged at byte", "set the file aside, nothing of it is whole, and remove the row", true,
			[2]int{500, 750},
		},
		"fragments of the last file are damaged": {
			func(d bench.Damage) { d.Flip(5, "mdat", 0, 500) },
			fsck.Hash, "cam/5: the sample file is damaged at byte", "set the file aside, and write", true,
			[2]int{1000, 1050},
		},
		"the digest is another": {
			func(d bench.Damage) { d.SQL(`UPDATE recording SET digest = x'00' WHERE id & 255 = 3`) },
			fsck.Hash, "cam/3: the digest of the sample file is", "write the row anew", false,
			[2]int{},
		},
		"the sums of the stream are wrong": {
			func(d bench.Damage) { d.SQL(`UPDATE stream SET bytes = bytes + 1`) },
			fsck.Hash, "cam: its sums are wrong", "count its recordings anew", false,
			[2]int{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := bench.Damage{T: t, Dir: b.Copy()}
			c.plant(d)
			before := map[int64][]byte{}
			for _, n := range []int64{3, 5, 15} {
				before[n], _ = os.ReadFile(d.Path(n))
			}
			for level := fsck.Presence; level <= fsck.Hash; level++ {
				found := bench.CheckAt(t, d.Dir, level)
				if level < c.level && len(found) > 0 || level >= c.level && (len(found) == 0 || !strings.HasPrefix(found[0], c.want)) {
					t.Errorf("level %v finds %q", level, found)
				}
			}
			said, left, err := bench.RepairAt(t, d.Dir, c.level)
			if err != nil || left > 0 || !strings.Contains(strings.Join(said, "\n"), ": "+c.plan) {
				t.Errorf("%d left, %v: %q", left, err, said)
			}
			bench.NoProblems(t, d.Dir)
			want := append(append([]string(nil), all[:c.lost[0]]...), all[c.lost[1]:]...)
			if got := bench.Pictures(t, d.Dir); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d pictures, want %d", len(got), len(want))
			}
			if got := bench.EntriesOf(t, d.Dir); c.lost == [2]int{} && got != entries {
				t.Errorf("nothing is lost, the entries were\n%sthey are\n%s", entries, got)
			}
			d.CheckAside(c.aside, before)
			if log := bench.Reopen(t, d.Dir); strings.Contains(log, "ERROR") {
				t.Error(log)
			}
			bench.SameAfterRebuild(t, d.Dir)
		})
	}
}

// TestCheckWithoutADisk has the disk of a stream away: that is said once, and repair does nothing about it.
func TestCheckWithoutADisk(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 45*time.Second)
	second := filepath.Join(t.TempDir(), "second")
	other := b.Elsewhere(second, "sub")
	other.Crash(bench.Camera{}, 35*time.Second)
	other.Writer.Commit()
	dir := b.Copy()
	back := bench.Away(t, second)
	want := "cam.sub: of 4 recordings the sample directory " + second + " is not there"
	for level := fsck.Presence; level <= fsck.Hash; level++ {
		if found := bench.CheckAt(t, dir, level); len(found) != 1 || found[0] != want {
			t.Errorf("level %v finds %q", level, found)
		}
	}
	said, left, err := bench.RepairAt(t, dir, fsck.Hash)
	if err != nil || left != 1 || len(said) != 2 || !strings.HasPrefix(said[1], "plan cam.sub: nothing: mount the disk") {
		t.Errorf("%d left, %v: %q", left, err, said)
	}
	back()
	bench.NoProblems(t, dir)
}

func TestRepairIsRefusedWhileRecording(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	lock, err := dir.LockDir(b.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, _, err := bench.RepairAt(t, b.Dir, fsck.Size); !errors.Is(err, store.ErrLocked) {
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
	b := bench.New(t, 10*time.Second)
	s := b.Session(bench.Camera{})
	feed := func(from, to time.Duration) {
		t.Helper()
		for x := range (bench.Camera{}).Samples(to) {
			if x.DTS >= media.Ticks(from) {
				if err := s.Sample(x); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.Writer.Drain()
		b.Writer.Commit()
	}
	feed(0, 35*time.Second)
	remove := func(number int64) {
		r := b.Recordings()[0]
		err := b.DB.Write(context.Background(), func(tx *schema.Tx) error {
			return tx.Delete(schema.Victim{ID: r.ID, Start90k: r.Start90k, Bytes: r.Bytes}, 0)
		})
		if err := errors.Join(err, os.Remove(b.Path(number))); err != nil {
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
	st := &meanwhile{Store: b.Store}
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
	err := fsck.CheckVolumes(t.Context(), b.DB, map[int64]*volume.Volume{1: volume.New(1, "", st)}, fsck.CheckOptions{
		Level: fsck.Hash, Total: func(int64) {}, Checked: func(int64) {},
		Found: func(p fsck.Problem) { t.Error(p) },
	})
	if err != nil || !happened["deleted"] || !happened["grown"] {
		t.Errorf("%v, %v", happened, err)
	}
}

// TestDigests checks that what the disk digests while it appends is what the file holds.
func TestDigests(t *testing.T) {
	b := bench.New(t, 10*time.Second)
	b.Record(bench.Camera{}, 25*time.Second)
	for _, row := range b.Recordings() {
		r, ok, err := b.DB.Recording(t.Context(), row.ID)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		file, err := os.ReadFile(b.Path(r.ID.Number()))
		if err != nil {
			t.Fatal(err)
		}
		h := volume.NewDigest()
		h.Write(file[:r.Bytes])
		if !r.Sealed || !bytes.Equal(r.Digest, h.Sum(nil)) || len(r.Digest) != 32 {
			t.Errorf("recording %s has digest %x, its file %x", r.ID, r.Digest, h.Sum(nil))
		}
	}
}
