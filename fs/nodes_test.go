package fs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// changingDir has children whose cookies do not follow from how many there are.
type changingDir struct{ cookies []uint64 }

func (d *changingDir) list(context.Context) (listing, error) {
	return listing{len(d.cookies), func(i int) child {
		return child{name: fmt.Sprint(d.cookies[i]), cookie: d.cookies[i], dir: d}
	}}, nil
}

func (d *changingDir) find(context.Context, string) (child, error) {
	return child{}, playback.ErrNotFound
}
func (d *changingDir) modTime() time.Time { return time.Time{} }

// A directory that is read in parts shows, once, each child that was there all the time.
func TestReadInParts(t *testing.T) {
	for part := 1; part < 8; part++ {
		d := &changingDir{cookies: []uint64{10, 20, 30, 40, 50, 60, 70}}
		n := (&Server{}).dirNode(d, "/a/b")
		var names []string
		after := uint64(0)
		for round := 0; ; round++ {
			got := 0
			err := n.read(t.Context(), after, func(e fuse.DirEntry, _ *child) bool {
				if got == part {
					return false
				}
				got++
				names, after = append(names, e.Name), e.Off
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			if got == 0 {
				break
			}
			switch round { // the first go, others come
			case 0:
				d.cookies = slices.Delete(d.cookies, 0, 1)
			case 1:
				d.cookies = append(slices.Insert(d.cookies, 2, 35), 80)
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
	s := &Server{}
	nodes := nodes{known: map[uint64]known{}, files: map[hourKey][]uint64{}, kept: map[uint64]node{}}
	n := s.dirNode(fixedDir{}, "/x")
	for range 3 {
		nodes.remember(n)
	}
	nodes.forget(n.ino, 2)
	if got, _, ok := nodes.get(n.ino); !ok || got != n {
		t.Errorf("after two of three lookups were taken back: %v, %t", got, ok)
	}
	nodes.forget(n.ino, 1)
	if got, _, ok := nodes.get(n.ino); ok || got != nil {
		t.Errorf("after all were taken back: %v, %t", got, ok)
	}
	info := func(text string) *infoNode {
		return &infoNode{s.textNode("x.json", []byte(text), time.Time{}, 0), place{from90k: 1, at: 2, stream: 3, info: true}}
	}
	hour := info("").place.hour()
	for _, text := range []string{"a", "b", "a"} {
		nodes.remember(info(text))
	}
	if in := nodes.in(hour); len(in) != 2 {
		t.Errorf("of two files of an hour, %v are known", in)
	}
	nodes.forget(info("a").ino, 2)
	if in := nodes.in(hour); len(in) != 1 || in[info("b").ino] != info("b").place {
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
		if k.place != (place{}) {
			inos = append(inos, ino)
		}
	}
	f.s.nodes.mu.Unlock()
	// The root, and one entry of each stream, which the newest recording is part of.
	// Of .nvrfs and .nvrfs/info, only these two are kept.
	if infoDirs := files - told; known != files+told+infoDirs+1 || kept > 6 || told == 0 {
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
