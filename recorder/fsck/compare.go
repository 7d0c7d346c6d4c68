package fsck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"nvrfs/mp4"
	"nvrfs/schema"
	"nvrfs/store"
)

// compare returns the differences between a recording's row and its sample file, as far as the level looks.
func (c *checker) compare(ctx context.Context, s schema.Stream, r *schema.Recording) (problems []string) {
	key := store.Key{Stream: s.Label(), Number: r.ID.Number()}
	d, ok := c.volumes[r.Dir]
	if !ok {
		return []string{"its sample directory is not there"}
	}
	size, err := d.Store().Size(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []string{"the sample file is missing"}
	case err != nil:
		return []string{err.Error()}
	case c.o.Level == Presence:
		return nil
	case size < r.Bytes:
		return []string{fmt.Sprintf("the sample file has %d bytes, of %d that are recorded", size, r.Bytes)}
	}
	src, err := d.Store().Open(key)
	if err != nil {
		return []string{err.Error()}
	}
	defer src.Close() //nolint:errcheck // read only: nothing can be lost
	if r.Sealed {
		if err := mp4.CheckSeal(src, r.Bytes, size); err != nil {
			problems = append(problems, err.Error())
		}
	}
	if c.o.Level >= Index {
		problems = append(problems, c.content(ctx, s, r, src, size)...)
	}
	return problems
}

// content compares a recording's row and index with what its sample file says of itself.
func (c *checker) content(ctx context.Context, s schema.Stream, r *schema.Recording, src io.ReaderAt, size int64) (problems []string) {
	scanned := r.Bytes // behind that a recorder may be writing
	if r.Sealed {
		scanned = size
	}
	found, err := c.scan(ctx, src, scanned)
	switch {
	case err != nil:
		return []string{err.Error()}
	case found.Bytes != r.Bytes && found.Torn != nil:
		return []string{fmt.Sprintf("the sample file is damaged %v", found.Torn)}
	case found.Bytes != r.Bytes || found.index == nil:
		return []string{fmt.Sprintf("the sample file has %d bytes of whole fragments, its row says %d", found.Bytes, r.Bytes)}
	}
	for _, check := range []func() error{
		func() error { return c.compareIdentity(ctx, s, r, found) },
		func() error { return c.compareIndex(ctx, r, found) },
		func() error { return compareDigest(r, found) },
	} {
		if err := check(); err != nil {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

// scan reads a sample file as closely as the level says, until ctx ends.
func (c *checker) scan(ctx context.Context, src io.ReaderAt, size int64) (*readBack, error) {
	src = interruptible{ctx, src}
	if c.o.Level >= Hash {
		return readSampleFile(src, size)
	}
	return scanSampleFile(src, size, mp4.ScanIndex, func(int64) error { return nil })
}

// interruptible is a file that is read until ctx ends.
type interruptible struct {
	ctx context.Context
	r   io.ReaderAt
}

func (i interruptible) ReadAt(p []byte, off int64) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.ReadAt(p, off)
}

// compareIdentity compares the row with the header and the seal, which do not follow from the samples.
func (c *checker) compareIdentity(ctx context.Context, s schema.Stream, r *schema.Recording, found *readBack) error {
	if err := belongs(found.SampleFile, s, r.ID.Number()); err != nil {
		return err
	}
	run, err := c.db.Run(ctx, r.Run)
	if err != nil {
		return err
	}
	id, seal := found.Identity, found.Seal
	switch {
	case id.Run != run.UUID || id.Sequence != r.Sequence:
		return fmt.Errorf("the sample file is number %d of run %s, its row says %d of %s", id.Sequence, id.Run, r.Sequence, run.UUID)
	case found.HeaderBytes != r.HeaderBytes:
		return fmt.Errorf("the header of the sample file has %d bytes, its row says %d", found.HeaderBytes, r.HeaderBytes)
	case seal != nil && (seal.Start90k != r.Start90k || seal.WallDuration90k != r.WallDuration90k):
		return fmt.Errorf("the seal of the sample file says another time than its row: %d and %d ticks longer than %d",
			seal.Start90k, seal.WallDuration90k, r.Start90k)
	}
	return nil
}

// belongs returns an error unless a sample file is that of a recording.
func belongs(f *mp4.SampleFile, s schema.Stream, number int64) error {
	id := f.Identity
	if id.Camera != s.Camera || id.Stream != s.Name || id.Recording != number {
		return fmt.Errorf("the sample file is another one: recording %d of stream %s of camera %q", id.Recording, id.Stream, id.Camera)
	}
	return nil
}

// compareIndex compares the sums of a row and the packed index with those that the fragments give. The index of a recording
// that goes on may have grown since its row was read.
func (c *checker) compareIndex(ctx context.Context, r *schema.Recording, found *readBack) error {
	packed, err := c.db.PackedIndex(ctx, r.ID)
	if err != nil {
		return err
	}
	if _, err := schema.DecodeIndex(packed, r.Tracks); err != nil {
		return err
	}
	sums, entries := found.index.Tracks(), found.index.Entries()
	if len(sums) != len(r.Tracks) {
		return fmt.Errorf("the sample file has %d tracks, its row %d", len(sums), len(r.Tracks))
	}
	for i, t := range r.Tracks {
		e, err := c.db.SampleEntry(ctx, t.Entry)
		if err != nil {
			return err
		}
		if f := entries[i]; !bytes.Equal(e.Box, f.Box) || e.Timescale != f.Timescale || e.Rotation != f.Rotation {
			return fmt.Errorf("the sample file's track %d has other sample entries than its row", i+1)
		}
		sums[i].Entry = t.Entry
		if t.Runs == "" { // an older nvrfs did not keep them
			sums[i].Runs = ""
		}
		if sums[i] != t {
			return fmt.Errorf("the sums of track %d differ: the sample file has %+v, its row %+v", i+1, sums[i], t)
		}
	}
	if r.Sealed && len(packed) > len(found.index.Bytes()) || !bytes.HasPrefix(packed, found.index.Bytes()) {
		return errors.New("the index differs from the fragments of the sample file")
	}
	return nil
}

func compareDigest(r *schema.Recording, found *readBack) error {
	if r.Sealed && len(r.Digest) > 0 && found.digest != nil && !bytes.Equal(r.Digest, found.digest) {
		return fmt.Errorf("the digest of the sample file is %x, its row says %x", found.digest, r.Digest)
	}
	return nil
}
