package fs

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// A directory that is read in parts shows, once, each child that was there all the time.
func TestReadInParts(t *testing.T) {
	for part := 1; part < 8; part++ {
		orders := []uint64{10, 20, 30, 40, 50, 60, 70} // which do not follow from how many there are
		n := (&Server{}).dirNode(playback.Root())
		var names []string
		after := uint64(0)
		for round := 0; ; round++ {
			got := 0
			l := playback.Listing{N: len(orders), At: func(i int) playback.Node {
				return playback.Node{Name: fmt.Sprint(orders[i]), Order: orders[i]}
			}}
			n.readFrom(l, after, func(e dirEntry, _ func() node) bool {
				if got == part {
					return false
				}
				got++
				names, after = append(names, e.name), e.cookie
				return true
			})
			if got == 0 {
				break
			}
			switch round { // the first go, others come
			case 0:
				orders = slices.Delete(orders, 0, 1)
			case 1:
				orders = append(slices.Insert(orders, 2, 35), 80)
			}
		}
		seen := map[string]int{}
		for _, name := range names {
			seen[name]++
		}
		for _, name := range []string{".", "..", "20", "30", "40", "50", "60", "70"} {
			if seen[name] != 1 {
				t.Errorf("in parts of %d, %s is listed %d times: %q", part, name, seen[name], names)
			}
		}
	}
}

func TestNodesAreForgotten(t *testing.T) {
	data := t.TempDir()
	if err := footage.Make(t.Context(), data, oneDay()...); err != nil {
		t.Fatal(err)
	}
	lib, err := playback.Open(t.Context(), playback.Options{Data: data, Location: time.UTC, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	s := newServer(lib.View(nil), "", Options{})
	nodes := newNodes()
	n := s.dirNode(playback.Root())
	for range 3 {
		nodes.remember(n)
	}
	nodes.forget(n.number(), 2)
	if _, ref, ok := nodes.get(n.number()); !ok || ref != n.ref() {
		t.Errorf("after two of three lookups were taken back: %v, %t", ref, ok)
	}
	nodes.forget(n.number(), 1)
	if _, ref, ok := nodes.get(n.number()); ok || ref != (playback.Ref{}) {
		t.Errorf("after all were taken back: %v, %t", ref, ok)
	}
	told, _, err := s.view.Resolve(t.Context(), ".nvrfs/info/cam/2026-11-20/13/cam_2026-11-20_13-58-00.mp4.json")
	if err != nil {
		t.Fatal(err)
	}
	info := func(text string) *textNode { return &textNode{s, digest("x.json", text), told.Text, told.Ref()} }
	hour, ok := told.Ref().Hour()
	if !ok {
		t.Fatal("it is not in an hour")
	}
	for _, text := range []string{"a", "b", "a"} {
		nodes.remember(info(text))
	}
	if in := nodes.in(hour); len(in) != 2 {
		t.Errorf("of two files of an hour, %v are known", in)
	}
	nodes.forget(info("a").ino, 2)
	if in := nodes.in(hour); len(in) != 1 || in[info("b").ino] != info("b").ref() {
		t.Errorf("of one file of an hour, %v are known", in)
	}
	nodes.forget(info("b").ino, 1)
	if len(nodes.known)+len(nodes.files)+len(nodes.kept) > 0 {
		t.Errorf("something is left: %+v", &nodes)
	}
}

// Of footage that was walked through, only places are kept, and each leads back to what it is of.
func TestOnlyPlacesAreKept(t *testing.T) {
	f := newFixture(t, fixtureOptions{cameras: append(oneDay(), footage.Camera{
		Name: "later", Start: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC), Duration: time.Minute, Tiny: true,
	})})
	files, told := 0, 0
	for _, path := range walk(t, f.mnt) {
		if _, err := os.Stat(f.path(path)); err != nil {
			t.Error(err)
		}
		files++
		if strings.HasSuffix(path, ".mp4") {
			if _, err := os.ReadFile(f.path(".nvrfs/info", path+".json")); err != nil {
				t.Error(err)
			}
			told++
		}
	}
	f.s.nodes.mu.Lock()
	known, kept := len(f.s.nodes.known), len(f.s.nodes.kept)
	var inos []uint64
	for ino, k := range f.s.nodes.known {
		if k.ref != (playback.Ref{}) {
			inos = append(inos, ino)
		}
	}
	f.s.nodes.mu.Unlock()
	// What is kept is one entry of each stream, which the newest recording is part of.
	if infoDirs := files - told; known != files+told+infoDirs+1 || kept > 3 || told == 0 {
		t.Errorf("%d inodes are known, of %d and %d that tell of entries; %d are kept whole", known, files, told, kept)
	}
	for _, ino := range inos {
		n, err := f.s.node(t.Context(), ino)
		if err != nil || n.number() != ino {
			t.Errorf("inode %x is %v, %v", ino, n, err)
		}
	}
}

// A kernel that cannot do without opening directories may keep their listings all the same.
func TestOpenDir(t *testing.T) {
	for _, c := range []struct {
		opensNoDirs bool
		want        fuse.Status
		flags       uint32
	}{{true, fuse.ENOSYS, 0}, {false, fuse.OK, fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE}} {
		r := raw{opensNoDirs: c.opensNoDirs}
		var out fuse.OpenOut
		if got := r.OpenDir(nil, nil, &out); got != c.want || out.OpenFlags != c.flags {
			t.Errorf("%+v: %v, flags %x", c, got, out.OpenFlags)
		}
	}
}
