package mp4

import (
	"bytes"
	"errors"
	"io"
)

// fragmentStart is how every fragment begins: the prft of Fragment.Append, up to its times.
var fragmentStart = []byte{0, 0, 0, 32, 'p', 'r', 'f', 't', 1, 0, 0, 0, 0, 0, 0, 1}

// ScanBehind goes on where Scan ended: it looks for the next whole fragment behind the damage, and reads from there as Scan
// does. before is what Scan, or ScanBehind, has returned. The result starts with the fragment at First; it is nil where no
// whole fragment follows. Errors are those of r, and those of visit.
func ScanBehind(
	r io.ReaderAt, size int64, before *SampleFile, visit func(*SampleFile, *ScannedFragment) error,
) (*SampleFile, error) {
	s := &scanner{r: r, size: size, buf: make([]byte, 256<<10)}
	holds := before.holds
	if holds == nil { // the header is not from the file
		holds = before.Tracks
	}
	for at := before.Bytes + 1; ; at++ {
		var err error
		if at, err = s.find(fragmentStart, at); err != nil || at < 0 {
			return nil, err
		}
		f := &SampleFile{Identity: before.Identity, HeaderBytes: before.HeaderBytes, First: at, Bytes: at}
		f.begin(holds)
		frag, _, err := s.fragment(f)
		var torn tornError
		switch {
		case err == nil:
			if frag != nil {
				f.hold(frag.Entries)
			}
			f.begin(f.holds)
			return s.follow(f, visit)
		case !errors.As(err, &torn):
			return nil, err
		}
	}
}

// find returns where a few bytes first occur at off or behind; -1 where they do not.
func (s *scanner) find(what []byte, off int64) (int64, error) {
	for s.size-off >= int64(len(what)) {
		p := s.buf[:min(int64(len(s.buf)), s.size-off)]
		if err := s.readFull(p, off); err != nil {
			return 0, err
		}
		if i := bytes.Index(p, what); i >= 0 {
			return off + int64(i), nil
		}
		off += int64(len(p) - len(what) + 1)
	}
	return -1, nil
}
