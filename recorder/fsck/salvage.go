package fsck

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
	"nvrfs/store"
)

// damagedReason is the reason why a run ended whose footage is damaged there and goes on behind the damage.
const damagedReason = "the rest of the recording is damaged"

// leastWithoutSync90k is how long a range without a sync sample lasts at least that is kept: longer than what remains of a GOP, unless
// the camera sends none for minutes.
const leastWithoutSync90k = 2 * 60 * 90000

// readBehind reads the ranges of whole fragments behind the damage of a sample file. Each starts with a sync sample, because pictures
// before it cannot be decoded, unless it is long and has none. damage is nil if no whole fragment follows, as in a file that was cut
// off.
func (f *readBack) readBehind(src io.ReaderAt) (behind []*readBack, damage error) {
	for before := f.SampleFile; ; {
		found, err := f.readRange(src, before, fromSync)
		if err == nil && found.SampleFile != nil && found.index == nil {
			if found, err = f.readRange(src, before, wholeRange); err == nil && found.media90k < leastWithoutSync90k {
				found.index = nil
			}
		}
		switch {
		case err != nil:
			return behind, fmt.Errorf("%w; behind that: %w", f.Torn, err) // more than that nobody knows
		case found.SampleFile == nil:
			return behind, damage
		case found.index != nil:
			behind = append(behind, found)
		}
		before, damage = found.SampleFile, f.Torn
	}
}

type visitor = func(*mp4.SampleFile, *mp4.ScannedFragment) error

// readRange reads the next range of whole fragments, or those of them that choose passes on.
func (f *readBack) readRange(src io.ReaderAt, before *mp4.SampleFile, choose func(visitor) visitor) (*readBack, error) {
	scan := func(r io.ReaderAt, size int64, visit func(*mp4.SampleFile, *mp4.ScannedFragment) error) (*mp4.SampleFile, error) {
		return mp4.ScanBehind(r, size, before, choose(visit))
	}
	return scanSampleFile(src, f.size, scan, func(int64) error { return nil })
}

func wholeRange(visit visitor) visitor { return visit }

// fromSync leaves out the fragments before the first that starts with a sync sample.
func fromSync(visit visitor) visitor {
	started := false
	return func(f *mp4.SampleFile, x *mp4.ScannedFragment) error {
		if samples := x.Tracks[volume.Master]; !started && (len(samples) == 0 || !samples[0].Sync) {
			return nil
		}
		if !started {
			started, f.First, f.Tracks = true, f.Bytes, f.Holds()
		}
		return visit(f, x)
	}
}

// salvage keeps the whole fragments of a sample file that is damaged, or does not end as it should. It finds out at which wall time
// each range of whole fragments ended, and writes the range to a file of its own.
type salvage struct {
	volumes map[int64]*volume.Volume
	st      store.Store
	key     store.Key
	found   *readBack // with one whole fragment or more
	next    *int64    // a number that no file of the stream has; if nil, fragments behind damage stay in the file that is set aside

	split  bool    // footage is lost before the recording that follows
	behind []int64 // numbers of the files that rewrite has made of what is behind damage; they have no rows yet
}

// intact lists the ranges of whole fragments that are to be written.
func (s *salvage) intact() []*readBack {
	if s.next == nil {
		return []*readBack{s.found}
	}
	return append([]*readBack{s.found}, s.found.behind...)
}

// whole sums up the bytes of the fragments that are written.
func (s *salvage) whole() (bytes int64) {
	for _, f := range s.intact() {
		bytes += f.Bytes - f.First
	}
	return bytes
}

// end makes the seal of each range. If the recording's own seal is lost, the recording that follows tells when the last range ended.
// If that recording starts later than the range ends, there is a gap; because a run has no gaps, each range becomes a run of its own.
func (s *salvage) end(reason string) {
	var last *readBack
	var seal *mp4.Seal // the recording's own
	for _, f := range append([]*readBack{s.found}, s.found.behind...) {
		last, seal = f, f.Seal
		f.Seal = &mp4.Seal{Start90k: f.start90k, WallDuration90k: f.media90k, EndReason: damagedReason}
	}
	v := last.index.Tracks()[volume.Master]
	dts, next90k, follows := s.successor()
	joins := follows && dts == v.Start+v.Duration
	s.split = s.found.First > s.found.HeaderBytes || follows && (last != s.found || !joins)
	switch {
	case joins:
		last.Seal.WallDuration90k = max(0, next90k-last.start90k)
		if last == s.found && !s.split {
			last.Seal.EndReason = ""
		}
	case seal != nil:
		last.Seal.WallDuration90k = max(0, seal.Start90k+seal.WallDuration90k-last.start90k)
		last.Seal.EndReason = cmp.Or(seal.EndReason, damagedReason)
	case !follows:
		last.Seal.EndReason = reason
	}
}

// endAs is like end, for a recording whose row is there and tells how the recording ended. run is the reason why its run ended.
func (s *salvage) endAs(r *schema.Recording, run string) {
	s.end(damagedReason)
	f := s.found
	if f.First > f.HeaderBytes {
		return
	}
	f.Seal.Start90k = r.Start90k
	if f.Bytes != r.Bytes {
		return
	}
	s.split, f.Seal.WallDuration90k, f.Seal.EndReason = false, r.WallDuration90k, run
	if _, _, ok := s.successor(); ok {
		f.Seal.EndReason = ""
	}
}

// successor says at which media time, and at which wall time, the next recording of the same run starts. ok is false when
// there is none.
func (s *salvage) successor() (dts, start90k int64, ok bool) {
	next := store.Key{Stream: s.key.Stream, Number: s.key.Number + 1}
	for _, d := range s.volumes {
		f, first, err := firstFragment(d.Store(), next)
		if err == nil && f.Identity.Run == s.found.Identity.Run && f.Identity.Sequence == s.found.Identity.Sequence+1 {
			return first.Start(volume.Master), f.Identity.Start90k, true
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

// rewrite sets the file aside, and writes its whole fragments, with a seal, to a new file of the same name, and those behind damage to
// further files. It returns the new name of the file that was set aside. The further files are written first, so that nothing has
// changed if that fails, for lack of space perhaps.
func (s *salvage) rewrite() (aside string, err error) {
	src, err := s.st.Open(s.key)
	if err != nil {
		return "", err
	}
	defer src.Close() //nolint:errcheck // read only: nothing can be lost
	files, err := s.files(src)
	if err != nil {
		return "", err
	}
	for i, f := range files[1:] {
		if err := s.write(f, src); err != nil {
			return "", errors.Join(err, s.remove(files[1:1+i]))
		}
	}
	if aside, err = s.st.SetAside(s.key); aside == "" {
		return "", errors.Join(err, s.remove(files[1:]))
	}
	for _, f := range files[1:] {
		s.behind = append(s.behind, f.key.Number)
	}
	if err := s.write(files[0], src); err != nil { // it syncs the directory, if that has failed
		return aside, fmt.Errorf("%w; the file as it was is %s", err, aside)
	}
	return aside, nil
}

// remove removes files that rewrite has written.
func (s *salvage) remove(files []salvaged) (err error) {
	for _, f := range files {
		err = errors.Join(err, s.st.Remove(f.key))
	}
	return err
}

// salvaged is a file to which a range of whole fragments is to be written.
type salvaged struct {
	*readBack
	key      store.Key
	identity mp4.Identity
	header   []byte
}

func (s *salvage) files(src io.ReaderAt) (files []salvaged, err error) {
	for i, f := range s.intact() {
		to := salvaged{readBack: f, key: s.key, identity: f.Identity}
		if i > 0 {
			to.key.Number = *s.next
			*s.next++
		}
		starts := i > 0 || s.split // a run
		if starts {
			to.identity.Recording, to.identity.Run, to.identity.Sequence = to.key.Number, uuid.NewString(), 0
			to.identity.Start90k = f.Seal.Start90k
		}
		if starts || f.headerLost {
			to.header, err = mp4.AppendHeader(nil, to.identity, f.Tracks)
		} else {
			to.header = make([]byte, f.HeaderBytes)
			_, err = src.ReadAt(to.header, 0)
		}
		if err != nil {
			return nil, fmt.Errorf("make the header of a sample file: %w", err)
		}
		files = append(files, to)
	}
	return files, nil
}

// write writes a file, or leaves none when it fails. It changes the readBack to what the new file has.
func (s *salvage) write(f salvaged, src io.ReaderAt) error {
	file := volume.NewCopy(f.key, f.header)
	if err := file.Create(s.st.Create); err != nil {
		return err
	}
	if err := errors.Join(f.writeTo(file, src), file.Close(), s.st.SyncDir(f.key)); err != nil {
		return errors.Join(err, s.st.Remove(f.key))
	}
	return nil
}

func (f salvaged) writeTo(file *volume.File, src io.ReaderAt) error {
	fragments := f.Bytes - f.First
	if _, err := io.CopyN(file, io.NewSectionReader(src, f.First, fragments), fragments); err != nil {
		return fmt.Errorf("copy the fragments that are whole: %w", err)
	}
	if err := errors.Join(file.Append(nil, f.Seal), file.Sync()); err != nil {
		return err
	}
	f.Identity, f.digest = f.identity, file.Digest()
	f.HeaderBytes, f.First, f.Bytes = int64(len(f.header)), int64(len(f.header)), int64(len(f.header))+fragments
	return nil
}
