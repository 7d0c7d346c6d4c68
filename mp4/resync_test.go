package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// scanAll collects the whole fragments of a file, also those behind damage.
func scanAll(file []byte) (frags []ScannedFragment, last *SampleFile, err error) {
	visit := func(f *SampleFile, x *ScannedFragment) error {
		frags = append(frags, *x.Clone())
		return nil
	}
	f, err := Scan(bytes.NewReader(file), int64(len(file)), visit)
	for err == nil && f != nil {
		last = f
		f, err = ScanBehind(bytes.NewReader(file), int64(len(file)), f, visit)
	}
	return frags, last, err
}

// Of a file one of whose bytes is damaged, all fragments but that one are found, and the seal.
func TestScanBehindDamage(t *testing.T) {
	r := specimen(t)
	want := r.scanned()
	for at := r.header; at < int64(len(r.file)); at++ {
		file := slices.Clone(r.file)
		file[at] ^= 0x10
		frags, last, err := scanAll(file)
		if err != nil {
			t.Fatal(err)
		}
		damaged, _ := slices.BinarySearch(r.ends, at+1)
		whole := slices.Clone(want)
		if damaged < len(want) {
			whole = slices.Delete(whole, damaged, damaged+1)
		}
		if !reflect.DeepEqual(frags, whole) {
			t.Fatalf("byte %d flipped: %d fragments, want %d", at, len(frags), len(whole))
		}
		if damaged < len(want)-1 && (last.Seal == nil || last.First != r.ends[damaged] || last.Bytes != r.ends[len(r.ends)-1]) {
			t.Fatalf("byte %d flipped: the last range is %+v", at, last)
		}
	}
}

// Nothing follows a torn tail, and what looks like the start of a fragment is none.
func TestScanBehindATornTail(t *testing.T) {
	r := specimen(t)
	for n := r.header; n < r.ends[len(r.ends)-1]; n++ {
		file := append(append(slices.Clone(r.file[:n]), ^r.file[n]), fragmentStart...)
		frags, last, err := scanAll(file)
		whole, onEnd := slices.BinarySearch(r.ends, n)
		if onEnd {
			whole++
		}
		if err != nil || len(frags) != whole || last.First != r.header || last.Seal != nil {
			t.Fatalf("cut at %d: %d fragments, %+v, %v", n, len(frags), last, err)
		}
	}
}

// The buffer's edges hide no fragment.
func TestFindAcrossBuffers(t *testing.T) {
	for n := range 40 {
		file := append(make([]byte, n), fragmentStart...)
		s := &scanner{r: bytes.NewReader(file), size: int64(len(file)), buf: make([]byte, 20)}
		if at, err := s.find(fragmentStart, 0); err != nil || at != int64(n) {
			t.Errorf("behind %d bytes it is found at %d, %v", n, at, err)
		}
		if at, err := s.find(fragmentStart, int64(n)+1); err != nil || at >= 0 {
			t.Errorf("behind itself it is found at %d, %v", at, err)
		}
	}
	boom := errors.New("boom")
	s := &scanner{r: &failingAt{bytes.NewReader(make([]byte, 100)), 50, boom}, size: 100, buf: make([]byte, 20)}
	if _, err := s.find(fragmentStart, 0); !errors.Is(err, boom) {
		t.Errorf("a disk that fails: %v", err)
	}
}

// A size in the header that points behind a short file's end does not look as if the header had been cut off.
func TestScanOfAShortFileWithADamagedHeader(t *testing.T) {
	r := specimen(t)
	file := r.file[:r.ends[0]]
	for _, at := range []int64{0, int64(binary.BigEndian.Uint32(file))} {
		damaged := slices.Clone(file)
		damaged[at+1] |= 1 // 64 kB more
		if _, _, _, err := scan(damaged); !errors.Is(err, ErrHeader) || errors.Is(err, ErrTorn) {
			t.Errorf("size at %d damaged: error is %v", at, err)
		}
		if _, _, _, err := scan(damaged[:r.header]); !errors.Is(err, ErrTorn) {
			t.Errorf("size at %d damaged, and no fragment follows: error is %v", at, err)
		}
	}
}
