package recorder

import (
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// damagedReason is that of runs whose footage goes on behind what is damaged.
const damagedReason = "the rest of the recording is damaged"

// salvage keeps what is whole of a sample file that does not end as it should: it finds out where the recording ended, and
// ends the file there.
type salvage struct {
	dirs  map[int64]sampleDir
	st    store.Store
	key   store.Key
	found *readBack // with one whole fragment or more

	split bool // footage is lost before the recording that follows
}

// end finds the seal of a recording whose own is lost, from the recording that follows. Where that one starts later than
// this one now ends, there is a gap; a run has none, so that what is left becomes a run of its own.
func (s *salvage) end(reason string) {
	f := s.found
	f.Seal = &mp4.Seal{Start90k: f.start90k, WallDuration90k: f.media90k, EndReason: reason}
	v := f.index.Tracks()[video]
	dts, start90k, ok := s.successor()
	switch {
	case ok && dts == v.Start+v.Duration:
		f.Seal.WallDuration90k, f.Seal.EndReason = start90k-f.start90k, ""
	case ok:
		s.split, f.Seal.EndReason = true, damagedReason
	}
}

// endAs is end where the recording's row is there, and tells how it ended. run is why its run did.
func (s *salvage) endAs(r *schema.Recording, run string) {
	s.end(damagedReason)
	s.found.Seal.Start90k = r.Start90k
	if s.found.Bytes != r.Bytes {
		return
	}
	s.split, s.found.Seal.WallDuration90k, s.found.Seal.EndReason = false, r.WallDuration90k, run
	if _, _, ok := s.successor(); ok {
		s.found.Seal.EndReason = ""
	}
}

// successor says at which media time, and at which wall time, the next recording of the same run starts. ok is false when
// there is none.
func (s *salvage) successor() (dts, start90k int64, ok bool) {
	next := store.Key{Stream: s.key.Stream, Number: s.key.Number + 1}
	for _, d := range s.dirs {
		f, first, err := firstFragment(d.store, next)
		if err == nil && f.Identity.Run == s.found.Identity.Run && f.Identity.Sequence == s.found.Identity.Sequence+1 {
			return first.Tracks[video].DTS, f.Identity.Start90k, true
		}
	}
	return 0, 0, false
}

var errEnough = errors.New("enough was read")

// firstFragment reads the header and the first fragment of a sample file.
func firstFragment(st store.Store, k store.Key) (f *mp4.SampleFile, first *mp4.ScannedFragment, err error) {
	size, err := st.Size(k)
	if err != nil {
		return nil, nil, err
	}
	src, err := st.Open(k)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close() //nolint:errcheck // read only: nothing can be lost
	_, err = mp4.ScanIndex(src, size, func(scanned *mp4.SampleFile, x *mp4.ScannedFragment) error {
		f, first = scanned, x
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		return nil, nil, errors.Join(errors.New("it has no whole fragment"), err)
	}
	return f, first, nil
}

// rewrite sets the file aside, and writes what is whole of it, with its seal, to a new one of the same name.
func (s *salvage) rewrite() (err error) {
	src, err := s.st.Open(s.key)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // read only: nothing can be lost
	header, err := s.header(src)
	if err != nil {
		return err
	}
	aside, err := s.st.SetAside(s.key)
	if err != nil {
		return err
	}
	w, err := s.st.Create(s.key)
	if err == nil {
		err = errors.Join(s.write(w, header, src), w.Close(), s.st.SyncDir(s.key))
	}
	if err != nil {
		return fmt.Errorf("%w; the file as it was is %s", err, aside)
	}
	return nil
}

// header returns that of the new file.
func (s *salvage) header(src io.ReaderAt) ([]byte, error) {
	f := s.found
	if s.split {
		f.Identity.Run, f.Identity.Sequence, f.Identity.Start90k = uuid.NewString(), 0, f.Seal.Start90k
		return mp4.AppendHeader(nil, f.Identity, f.Tracks)
	}
	header := make([]byte, f.HeaderBytes)
	if _, err := src.ReadAt(header, 0); err != nil {
		return nil, fmt.Errorf("read the header of the sample file: %w", err)
	}
	return header, nil
}

func (s *salvage) write(w store.Writer, header []byte, src io.ReaderAt) error {
	f := s.found
	seal, err := mp4.AppendSeal(nil, *f.Seal)
	if err != nil {
		return err
	}
	h := newDigest()
	to := io.MultiWriter(h, appender{w})
	if _, err := to.Write(header); err != nil {
		return err
	}
	fragments := f.Bytes - f.HeaderBytes
	if _, err := io.CopyN(to, io.NewSectionReader(src, f.HeaderBytes, fragments), fragments); err != nil {
		return fmt.Errorf("copy the fragments that are whole: %w", err)
	}
	f.HeaderBytes = int64(len(header))
	f.Bytes, f.digest = f.HeaderBytes+fragments, h.Sum(nil)
	return errors.Join(w.Append(seal), w.Sync())
}

// appender makes an io.Writer of a store.Writer.
type appender struct{ w store.Writer }

func (a appender) Write(p []byte) (int, error) {
	if err := a.w.Append(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
