package mp4check

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	bframes = "h264_bframes_aac.mp4"
	noEdit  = "h264_aac_noedit.mp4"
	hevc    = "h265_opus.mp4"
)

// specimen is a file in memory that a test changes.
type specimen struct {
	t    testing.TB
	data []byte
}

func load(t testing.TB, name string) *specimen {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return &specimen{t: t, data: data}
}

// Where the boxes inside other boxes start, counted from the payload.
var childrenAt = map[string]int{
	"moov": 0, "trak": 0, "edts": 0, "mdia": 0, "minf": 0, "dinf": 0, "stbl": 0, "udta": 0,
	"dref": 8, "stsd": 8, "avc1": 78, "hvc1": 78, "mp4a": 28, "Opus": 28,
}

// chain returns the header offsets of the boxes on the path, outermost first.
// An element is a type, with a number if it is not the first of its type:
// "moov/trak2/mdia".
func (f *specimen) chain(path string) []int {
	f.t.Helper()
	var chain []int
	from, to := 0, len(f.data)
	for elem := range strings.SplitSeq(path, "/") {
		no := 1
		if n, err := strconv.Atoi(elem[4:]); err == nil {
			no = n
		}
		at := f.find(from, to, elem[:4], no)
		chain = append(chain, at)
		from, to = at+8+childrenAt[elem[:4]], at+f.size(at)
	}
	return chain
}

func (f *specimen) size(at int) int { return int(binary.BigEndian.Uint32(f.data[at:])) }

func (f *specimen) find(from, to int, kind string, no int) int {
	f.t.Helper()
	for at := from; at < to; at += f.size(at) {
		if string(f.data[at+4:at+8]) == kind {
			if no--; no == 0 {
				return at
			}
		}
	}
	f.t.Fatalf("the fixture has no %s", kind)
	return 0
}

// body returns the offset of the payload of the box at the path.
func (f *specimen) body(path string) int {
	f.t.Helper()
	chain := f.chain(path)
	return chain[len(chain)-1] + 8
}

// put32 and add32 change the 32 bits at an offset in the payload of a box.
func (f *specimen) put32(path string, off int, v uint32) {
	f.t.Helper()
	binary.BigEndian.PutUint32(f.data[f.body(path)+off:], v)
}

func (f *specimen) add32(path string, off, delta int) {
	f.t.Helper()
	f.put32(path, off, uint32(int(f.get32(path, off))+delta))
}

func (f *specimen) get32(path string, off int) uint32 {
	f.t.Helper()
	return binary.BigEndian.Uint32(f.data[f.body(path)+off:])
}

func (f *specimen) put8(path string, off int, v byte) {
	f.t.Helper()
	f.data[f.body(path)+off] = v
}

// rename gives the box at the path another type.
func (f *specimen) rename(path, kind string) {
	f.t.Helper()
	copy(f.data[f.body(path)-4:], kind)
}

// insert puts bytes at an offset in the payload of a box, and keeps the sizes
// of the boxes on the path and all chunk offsets right.
func (f *specimen) insert(path string, off int, b []byte) {
	f.t.Helper()
	chain := f.chain(path)
	for _, at := range chain {
		binary.BigEndian.PutUint32(f.data[at:], uint32(f.size(at)+len(b)))
	}
	cut := chain[len(chain)-1] + 8 + off
	f.data = slices.Insert(f.data, cut, b...)
	f.moveChunks(cut, len(b))
}

// moveChunks adds delta to the offsets of chunks that end up after cut.
func (f *specimen) moveChunks(cut, delta int) {
	f.t.Helper()
	for _, path := range []string{video + "/stco", audio + "/stco"} {
		for i := range int(f.get32(path, 4)) {
			if int(f.get32(path, 8+4*i)) >= cut {
				f.add32(path, 8+4*i, delta)
			}
		}
	}
}

// sampleAt returns the offset in the file of a video sample, from 1.
func (f *specimen) sampleAt(no int) int {
	f.t.Helper()
	report, _ := f.check()
	return int(report.Tracks[0].Samples[no-1].Offset)
}

func (f *specimen) check() (*Report, error) {
	return Check(bytes.NewReader(f.data), int64(len(f.data)))
}

// rules returns the names of the rules broken, sorted, each once.
func rules(err error) []string {
	var names []string
	for _, v := range Violations(err) {
		names = append(names, v.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
