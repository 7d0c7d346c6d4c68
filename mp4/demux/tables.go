package demux

import (
	"errors"
	"fmt"
	"slices"

	"github.com/abema/go-mp4"

	"nvrfs/media"
)

// fill reads the samples that the tables of the moov list, ISO/IEC 14496-12 8.6 and 8.7.
func (b *trackBoxes) fill(t *trackReader) error {
	count := int64(b.stsz.SampleCount)
	if count > maxSamples && !t.momentary(b.stsz.SampleSize) {
		return fmt.Errorf("%d samples, at most %d are taken", count, maxSamples)
	}
	times := timeCursor{runs: b.stts.Entries}
	if n := times.total(); n != count {
		if n > count {
			return fmt.Errorf("stts has times for more samples than the %d in stsz", count)
		}
		return fmt.Errorf("stts has times for %d samples, stsz sizes for %d", n, count)
	}
	shifts, err := b.shifts(count)
	if err != nil {
		return err
	}
	syncs, err := b.syncs(count)
	if err != nil {
		return err
	}
	chunks := b.chunks()
	x := tableReader{t: t, sizes: b.stsz, times: times, shifts: shifts, syncs: syncs}
	for n, run := range b.stsc.Entries {
		end := uint64(len(chunks)) + 1
		if n+1 < len(b.stsc.Entries) {
			end = uint64(b.stsc.Entries[n+1].FirstChunk)
		}
		if run.FirstChunk == 0 || uint64(run.FirstChunk) > end || end > uint64(len(chunks))+1 {
			return fmt.Errorf("stsc: chunks %d to %d of %d", run.FirstChunk, end, len(chunks))
		}
		for _, offset := range chunks[run.FirstChunk-1 : end-1] {
			if int64(run.SamplesPerChunk) > count-x.i {
				return fmt.Errorf("stsc has places for more samples than the %d in stsz", count)
			}
			if err := t.describe(run.SampleDescriptionIndex); err != nil {
				return err
			}
			if err := x.chunk(offset, int64(run.SamplesPerChunk)); err != nil {
				return err
			}
		}
	}
	if x.i < count {
		return fmt.Errorf("stsc and stco have places for %d samples, stsz sizes for %d", x.i, count)
	}
	return nil
}

// chunks lists the offsets of the chunks, from either form of the box.
func (b *trackBoxes) chunks() []uint64 {
	if b.co64 != nil {
		return b.co64.ChunkOffset
	}
	offsets := make([]uint64, len(b.stco.ChunkOffset))
	for i, offset := range b.stco.ChunkOffset {
		offsets[i] = uint64(offset)
	}
	return offsets
}

// shifts reads the composition times (8.6.1.3). Where the box is short, the samples that follow are shown when they are decoded.
func (b *trackBoxes) shifts(count int64) (c shiftCursor, err error) {
	if b.ctts == nil {
		return c, nil
	}
	c.box = b.ctts
	for _, run := range b.ctts.Entries {
		if count -= int64(run.SampleCount); count < 0 {
			return c, fmt.Errorf("ctts has offsets for more samples than the %d in stsz", b.stsz.SampleCount)
		}
	}
	return c, nil
}

// syncs reads the sync samples (8.6.2): without the box, every sample is one.
func (b *trackBoxes) syncs(count int64) (c syncCursor, err error) {
	if b.stss == nil {
		return syncCursor{all: true}, nil
	}
	for _, number := range b.stss.SampleNumber {
		if number == 0 || int64(number) > count {
			return c, fmt.Errorf("stss names sample %d of %d", number, count)
		}
	}
	c.numbers = b.stss.SampleNumber
	if !slices.IsSorted(c.numbers) {
		c.numbers = slices.Sorted(slices.Values(c.numbers))
	}
	return c, nil
}

// tableReader walks through the tables of a track.
type tableReader struct {
	t      *trackReader
	sizes  *mp4.Stsz
	times  timeCursor
	shifts shiftCursor
	syncs  syncCursor
	i      int64 // of the sample that comes next, from 0
}

// chunk adds the samples of a chunk (8.7.5).
func (x *tableReader) chunk(offset uint64, samples int64) error {
	size, fileSize := uint64(x.sizes.SampleSize), uint64(x.t.p.size)
	momentary := x.t.momentary(x.sizes.SampleSize)
	if momentary {
		size = uint64(x.t.moment)
	}
	for n := int64(1); samples > 0; samples -= n {
		n = 1
		delta := x.times.take()
		if momentary && delta == 1 {
			n += x.times.skip(min(samples, packetMoments)-1, delta)
		}
		if x.sizes.SampleSize == 0 {
			size = uint64(x.sizes.EntrySize[x.i])
		}
		bytes := size * uint64(n)
		if offset > fileSize || bytes > fileSize-offset {
			return fmt.Errorf("sample %d, %d bytes at %d, is not in the file of %d bytes: it is cut short", x.i+1, bytes, offset, fileSize)
		}
		s := media.Sample{CTS: x.shifts.take(), Size: uint32(bytes), Sync: x.syncs.take(x.i + 1)}
		if err := x.t.add(s, int64(offset), uint64(delta)*uint64(n)); err != nil {
			return err
		}
		offset += bytes
		x.i += n
	}
	return nil
}

// timeCursor walks through the decoding times (8.6.1.2).
type timeCursor struct {
	runs []mp4.SttsEntry
	used uint32 // samples of the first run
}

func (c *timeCursor) total() (n int64) {
	for _, run := range c.runs {
		n += int64(run.SampleCount)
	}
	return n
}

// take returns how long the next sample lasts. There must be one.
func (c *timeCursor) take() (delta uint32) {
	for c.used == c.runs[0].SampleCount {
		c.runs, c.used = c.runs[1:], 0
	}
	c.used++
	return c.runs[0].SampleDelta
}

// skip passes over as many as n samples of the same run that last delta each, and returns how many.
func (c *timeCursor) skip(n int64, delta uint32) int64 {
	if c.runs[0].SampleDelta != delta {
		return 0
	}
	n = min(n, int64(c.runs[0].SampleCount-c.used))
	c.used += uint32(n)
	return n
}

// shiftCursor walks through the composition times. Version 0 of the box ought to be unsigned, but files with B-frames have negative
// offsets in it too.
type shiftCursor struct {
	box  *mp4.Ctts
	run  int
	used uint32 // samples of that run
}

func (c *shiftCursor) take() int32 {
	if c.box == nil {
		return 0
	}
	for c.run < len(c.box.Entries) && c.used == c.box.Entries[c.run].SampleCount {
		c.run, c.used = c.run+1, 0
	}
	if c.run == len(c.box.Entries) {
		return 0
	}
	c.used++
	return int32(c.box.GetSampleOffset(c.run))
}

// syncCursor walks through the numbers of sync samples.
type syncCursor struct {
	numbers []uint32 // sorted
	all     bool
}

// take reports whether a sample, numbered from 1, is a sync sample. The numbers must rise.
func (c *syncCursor) take(number int64) bool {
	for len(c.numbers) > 0 && int64(c.numbers[0]) < number {
		c.numbers = c.numbers[1:]
	}
	return c.all || len(c.numbers) > 0 && int64(c.numbers[0]) == number
}

// start is where the edit list puts media time 0 on the file's timeline (8.6.6):
// behind the empty edits, and before it by what the first other edit skips.
func (b *trackBoxes) start(p *parser) (int64, error) {
	if b.mdhd.Timescale == 0 {
		return 0, errors.New("timescale 0")
	}
	if b.elst == nil {
		return 0, nil
	}
	var start int64
	limit := maxSeconds * int64(b.mdhd.Timescale)
	for i := range b.elst.Entries {
		if skipped := b.elst.GetMediaTime(i); skipped >= 0 {
			start -= skipped
			break
		}
		if p.timescale > 0 {
			start += media.Rescale(int64(b.elst.GetSegmentDuration(i)), p.timescale, b.mdhd.Timescale)
		}
		if start < -limit || start > limit {
			break
		}
	}
	if start < -limit || start > limit {
		return 0, fmt.Errorf("it starts at %d, in 1/%d s, which is out of range", start, b.mdhd.Timescale)
	}
	return start, nil
}
