package fsck

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// readBack is what nvrfs learns of a recording from its sample file alone.
type readBack struct {
	*mp4.SampleFile
	size     int64
	index    *schema.Index
	digest   []byte // of the header and the whole fragments
	start90k int64  // wall time of the first frame, as known when the last fragment was written
	media90k int64  // duration of the master

	damage     error       // what is wrong in the middle of the file, with whole fragments behind it; nil if it was only cut off
	behind     []*readBack // the ranges of whole fragments behind the damage that can be shown, in order
	headerLost bool        // the header is damaged; Identity and Tracks are from the row
}

// errUnreadable says that the disk cannot read a sample file. It is told from other errors because one bad sector must not keep a
// recorder from starting.
var errUnreadable = errors.New("the disk cannot read it")

// readSampleFile makes the index and the digest of a sample file from the file alone. Where no fragment is whole, there is
// neither.
func readSampleFile(src io.ReaderAt, size int64) (*readBack, error) {
	h, digested := volume.NewDigest(), int64(0)
	found, err := scanSampleFile(src, size, mp4.Scan, func(end int64) error {
		from := digested
		digested = end
		return digestRange(h, src, from, end) // was just read, to verify its checksum: the kernel still has it
	})
	if err == nil && found.index != nil {
		found.digest = h.Sum(nil)
	}
	return found, err
}

// scanSampleFile makes the index of a sample file by mp4.Scan or mp4.ScanIndex. It says where each whole fragment ends.
func scanSampleFile(
	src io.ReaderAt, size int64,
	scan func(io.ReaderAt, int64, func(*mp4.SampleFile, *mp4.ScannedFragment) error) (*mp4.SampleFile, error),
	whole func(end int64) error,
) (*readBack, error) {
	var last90k, lastDTS int64 // when the last whole fragment starts, in wall time and in media time
	found := &readBack{size: size}
	f, err := scan(src, size, func(f *mp4.SampleFile, x *mp4.ScannedFragment) error {
		if found.index == nil {
			found.index = schema.NewIndex(f.Tracks)
		}
		found.index.Add(schema.Fragment{HeaderLen: x.HeaderLen, Tracks: x.Tracks, Entries: x.Entries})
		last90k, lastDTS = x.Wall90k, x.Start(volume.Master)
		return whole(f.Bytes + x.Bytes)
	})
	if err != nil || found.index == nil {
		return &readBack{SampleFile: f, size: size}, err
	}
	m, timescale := found.index.Tracks()[volume.Master], f.Tracks[volume.Master].Timescale
	found.SampleFile, found.media90k = f, media.Rescale(m.Duration, timescale, media.TicksPerSecond)
	found.start90k = last90k - media.Rescale(lastDTS-m.Start-int64(m.FirstCTS), timescale, media.TicksPerSecond)
	return found, nil
}

// digestRange adds the bytes [from, to) of a sample file to a digest.
func digestRange(h hash.Hash, src io.ReaderAt, from, to int64) error {
	n, err := io.Copy(h, io.NewSectionReader(src, from, to-from))
	if err == nil && n < to-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read the sample file for its digest: %w", err)
	}
	return nil
}
