package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// mapCache is a TableCache that keeps everything.
type mapCache struct {
	mu   sync.Mutex
	got  map[string][]byte
	made int
}

func (c *mapCache) Tables(f *File, part int, generate func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := fmt.Sprintf("%p/%d", f, part)
	if b, ok := c.got[k]; ok {
		return b, nil
	}
	b, err := generate()
	if err == nil {
		c.got[k] = b
		c.made++
	}
	return b, err
}

// specimens are Files of every kind, made of the same bytes each time.
func specimens(t testing.TB) map[string]*File {
	t.Helper()
	plain := newTestCamera(t, 21)

	bFrames := newTestCamera(t, 22)
	bFrames.bFrames, bFrames.audio, bFrames.startDTS = true, testAAC(t, "1210"), 9000
	sound := bFrames.run(3, 1)

	mixed := newTestCamera(t, 23)
	mixed.audio, mixed.audioLate = testAAC(t, "1210"), 700
	runs := mixed.run(2)
	mixed.video, mixed.audio, mixed.bFrames = testAVC(t, 1), testAAC(t, "1190"), true
	runs = append(runs, mixed.run(2)...)

	cut := newTestCamera(t, 24)
	cut.bFrames, cut.audio = true, testAAC(t, "1210")
	whole := cut.run(2)
	frames := [2][]*recordedSample{whole[0].tracks[0].samples, whole[1].tracks[0].samples}
	ends, err := clip{whole, frames[0][2].PTS() + 1, frames[1][len(frames[1])-2].PTS() + 5}.parts()
	if err != nil {
		t.Fatal(err)
	}
	flips := newTestCamera(t, 25)
	flips.flips, flips.audio = flips.levels(3), testG711(t, 8000)
	raw := flips.run(3, 1)

	cached, err := NewFile(parts(sound), &mapCache{got: map[string][]byte{}})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*File{
		"one recording":           mustFile(t, parts(plain.run(1))),
		"B-frames and sound":      mustFile(t, parts(sound)),
		"B-frames, sound, cached": cached,
		"two runs, other codecs":  mustFile(t, parts(runs)),
		"cut at both ends":        mustFile(t, ends),
		"mu-law, levels change":   mustFile(t, parts(raw)),
	}
}

// TestReaders holds every File to the contract of io.ReaderAt.
func TestReaders(t *testing.T) {
	for name, f := range specimens(t) {
		t.Run(name, func(t *testing.T) {
			whole := make([]byte, f.Size())
			if n, err := f.ReadAt(whole, 0); n != len(whole) || err != nil && err != io.EOF {
				t.Fatalf("read %d of %d bytes: %v", n, len(whole), err)
			}
			if err := iotest.TestReader(io.NewSectionReader(f, 0, f.Size()), whole); err != nil {
				t.Error(err)
			}
			rnd := rand.New(rand.NewPCG(1, 1))
			for range 2000 {
				off := rnd.Int64N(f.Size() + 10)
				checkRead(t, f, whole, off, rnd.IntN(1<<rnd.IntN(13)))
			}
			for _, edge := range edges(f) {
				for _, off := range []int64{edge - 2, edge - 1, edge, edge + 1} {
					for _, n := range []int{0, 1, 2, 3, 40} {
						checkRead(t, f, whole, off, n)
					}
				}
			}
			checkExtents(t, f, whole)
			checkConcurrently(t, f, whole)
			if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || err == io.EOF {
				t.Errorf("a negative offset: %v", err)
			}
		})
	}
}

// edges are where the nature of the bytes changes: sections, the recordings' pieces of tables, extents, the end.
func edges(f *File) (at []int64) {
	at = append(at, 0)
	start := int64(0)
	for _, s := range f.sections {
		if s.what == tableSection {
			for _, q := range f.tracks[s.track].pieces {
				at = append(at, start+int64(q.first[s.table])*entryBytes[s.table])
			}
		}
		start = s.end
		at = append(at, s.end)
	}
	for _, d := range f.data {
		at = append(at, f.mdatAt+d)
	}
	return at
}

// checkRead reads n bytes at off, and fails unless they are those of whole, with io.EOF where and only where they are not
// all there (a read that ends with the file may say either).
func checkRead(t *testing.T, f *File, whole []byte, off int64, n int) {
	t.Helper()
	if off < 0 {
		return
	}
	p := bytes.Repeat([]byte{0xa5}, n+1)
	got, err := f.ReadAt(p[:n], off)
	want := whole[min(off, int64(len(whole))):min(off+int64(n), int64(len(whole)))]
	if got != len(want) || !bytes.Equal(p[:got], want) || p[n] != 0xa5 {
		t.Fatalf("read %d at %d: %d bytes, want %d, or they differ", n, off, got, len(want))
	}
	if got < n && err != io.EOF || got == n && err != nil && (err != io.EOF || off+int64(n) < int64(len(whole))) {
		t.Fatalf("read %d at %d of %d: %d bytes and %v", n, off, len(whole), got, err)
	}
}

// checkExtents checks that what Extent names is what ReadAt gives, that it goes up to the end of the extent, and that
// everything in the mdat and nothing else has one.
func checkExtents(t *testing.T, f *File, whole []byte) {
	t.Helper()
	for off := int64(-3); off < f.Size()+3; off++ {
		part, at, n, ok := f.Extent(off)
		if ok != (off >= f.mdatAt && off < f.Size()) {
			t.Fatalf("Extent(%d) is %v; the mdat's content is [%d, %d)", off, ok, f.mdatAt, f.Size())
		}
		if !ok {
			continue
		}
		if n < 1 || at < part.Offset || at+n != part.Offset+part.Length {
			t.Fatalf("Extent(%d) is %d bytes at %d, of an extent of %d at %d", off, n, at, part.Length, part.Offset)
		}
		p := make([]byte, min(n, 64))
		if _, err := part.Object.ReadAt(p, at); err != nil || !bytes.Equal(p, whole[off:off+int64(len(p))]) {
			t.Fatalf("Extent(%d) names other bytes than ReadAt gives, or %v", off, err)
		}
	}
}

func checkConcurrently(t *testing.T, f *File, whole []byte) {
	t.Helper()
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(9, uint64(i)))
			for range 100 {
				off := rnd.Int64N(f.Size())
				p := make([]byte, min(rnd.Int64N(3000), f.Size()-off))
				if n, err := f.ReadAt(p, off); n < len(p) || !bytes.Equal(p, whole[off:off+int64(n)]) {
					t.Errorf("read %d at %d beside others: %d bytes, %v", len(p), off, n, err)
				}
			}
		})
	}
	readers.Wait()
}

// A cache spares the tables from being made again.
func TestTablesAreMadeOnce(t *testing.T) {
	recs := newTestCamera(t, 30).run(3)
	cache := &mapCache{got: map[string][]byte{}}
	f, err := NewFile(parts(recs), cache)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, math.MaxInt64)); err != nil {
			t.Fatal(err)
		}
	}
	if cache.made != 3 {
		t.Errorf("the tables of 3 recordings were made %d times", cache.made)
	}
}

// shortAt says that it read everything, and did not.
type shortAt struct{ r io.ReaderAt }

func (s shortAt) ReadAt(p []byte, off int64) (int, error) {
	return s.r.ReadAt(p[:len(p)/2], off)
}

// A sample file that fails, or has fewer bytes than its row says, never becomes a short success.
func TestSourceThatFails(t *testing.T) {
	boom := errors.New("boom")
	recs := newTestCamera(t, 31).run(3)
	r := recs[1]
	for name, c := range map[string]struct {
		source io.ReaderAt
		want   error
	}{
		"fails":                      {&failingAt{bytes.NewReader(r.file), r.header + 100, boom}, boom},
		"was cut off":                {bytes.NewReader(r.file[:r.header+100]), io.ErrUnexpectedEOF},
		"is empty":                   {bytes.NewReader(nil), io.ErrUnexpectedEOF},
		"gives less without a cause": {shortAt{bytes.NewReader(r.file)}, io.ErrUnexpectedEOF},
	} {
		ps := parts(recs)
		ps[1].Object = c.source
		f := mustFile(t, ps)
		p := make([]byte, f.Size())
		n, err := f.ReadAt(p, 0)
		if !errors.Is(err, c.want) || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), ps[1].Name) {
			t.Errorf("a source that %s: error is %v, want %v of %s", name, err, c.want, ps[1].Name)
		}
		if good := int64(n) - f.mdatAt - ps[0].Length; good < 0 || good > 100 && name != "gives less without a cause" || !bytes.Equal(p[int64(n)-good:n], r.file[r.header:r.header+good]) {
			t.Errorf("a source that %s: %d bytes of its recording count as read", name, good)
		}
		if _, err := f.ReadAt(p[:ps[2].Length], f.Size()-ps[2].Length); err != nil && err != io.EOF {
			t.Errorf("a source that %s spoils the recording after it: %v", name, err)
		}
	}
}

func TestReadAtOfSamplesAllocatesNothing(t *testing.T) {
	f := specimens(t)["B-frames and sound"]
	p := make([]byte, 500)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := f.ReadAt(p, f.mdatAt+f.data[1]-100); err != nil { // over the edge of two recordings
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("ReadAt makes %v allocations", n)
	}
}
