package demux

import (
	"errors"
	"fmt"

	"nvrfs/media"
)

// fill sets the track's samples from its tables, ISO/IEC 14496-12 8.6 and 8.7.
func (b *trackBoxes) fill(t *Track, p *parser) error {
	t.Timescale = b.mdhd.Timescale
	count := b.stsz.SampleCount
	switch {
	case t.Timescale == 0:
		return errors.New("timescale 0")
	case count == 0:
		return errors.New("no samples in its tables: if the file is fragmented, copy it with `ffmpeg -i IN -c copy OUT.mp4` first")
	case count > maxSamples:
		return fmt.Errorf("%d samples, at most %d are taken", count, maxSamples)
	}
	t.dts, t.sizes, t.offsets = make([]int64, count), make([]uint32, count), make([]int64, count)
	for _, step := range []func(*Track, *parser) error{b.setDecodingTimes, b.setCompositionTimes, b.setSync, b.setSizes, b.setPlaces} {
		if err := step(t, p); err != nil {
			return err
		}
	}
	return nil
}

// setDecodingTimes reads the decoding times (8.6.1.2).
func (b *trackBoxes) setDecodingTimes(t *Track, p *parser) error {
	dts, i := b.start(t, p), 0
	limit := maxSeconds * int64(t.Timescale)
	if dts < -limit || dts > limit {
		return fmt.Errorf("it starts at %d, in 1/%d s, which is out of range", dts, t.Timescale)
	}
	var last uint32
	for _, run := range b.stts.Entries {
		if uint64(run.SampleCount) > uint64(t.Len()-i) {
			return fmt.Errorf("stts has times for more samples than the %d in stsz", t.Len())
		}
		for range run.SampleCount {
			t.dts[i] = dts
			dts += int64(run.SampleDelta)
			if run.SampleDelta > 0 || i == 0 {
				last = run.SampleDelta
			}
			i++
		}
	}
	if i < t.Len() {
		return fmt.Errorf("stts has times for %d samples, stsz sizes for %d", i, t.Len())
	}
	// Many files give their last sample no duration; then it has that of its neighbour.
	t.End = max(dts, t.dts[i-1]+int64(last))
	if t.Duration() == 0 {
		return errors.New("it lasts no time")
	}
	if t.End > limit {
		return fmt.Errorf("it ends at %d, in 1/%d s, which is out of range", t.End, t.Timescale)
	}
	return nil
}

// start is where the edit list puts media time 0 on the file's timeline (8.6.6):
// behind the empty edits, and before it by what the first other edit skips.
func (b *trackBoxes) start(t *Track, p *parser) int64 {
	if b.elst == nil {
		return 0
	}
	var start int64
	for i := range b.elst.Entries {
		if skipped := b.elst.GetMediaTime(i); skipped >= 0 {
			return start - skipped
		}
		if p.timescale > 0 {
			start += media.Rescale(int64(b.elst.GetSegmentDuration(i)), p.timescale, t.Timescale)
		}
	}
	return start
}

// setCompositionTimes reads the composition times (8.6.1.3). Version 0 ought to be
// unsigned, but files with B-frames have negative offsets in it too.
func (b *trackBoxes) setCompositionTimes(t *Track, _ *parser) error {
	if b.ctts == nil {
		return nil
	}
	t.cts = make([]int32, t.Len())
	i := 0
	for n, run := range b.ctts.Entries {
		if uint64(run.SampleCount) > uint64(t.Len()-i) {
			return fmt.Errorf("ctts has offsets for more samples than the %d in stsz", t.Len())
		}
		for range run.SampleCount {
			t.cts[i] = int32(b.ctts.GetSampleOffset(n))
			i++
		}
	}
	return nil
}

// setSync reads the sync samples (8.6.2): without the box, every sample is one.
func (b *trackBoxes) setSync(t *Track, _ *parser) error {
	if b.stss == nil {
		return nil
	}
	t.syncs = make([]bool, t.Len())
	for _, number := range b.stss.SampleNumber {
		if number == 0 || int64(number) > int64(t.Len()) {
			return fmt.Errorf("stss names sample %d of %d", number, t.Len())
		}
		t.syncs[number-1] = true
	}
	return nil
}

// setSizes reads the sample sizes (8.7.3.2).
func (b *trackBoxes) setSizes(t *Track, _ *parser) error {
	for i := range t.sizes {
		size := b.stsz.SampleSize
		if size == 0 {
			size = b.stsz.EntrySize[i]
		}
		if size == 0 {
			return fmt.Errorf("sample %d is empty", i+1)
		}
		t.sizes[i] = size
	}
	return nil
}

// setPlaces reads where the samples lie: in chunks (8.7.5), each with as many
// samples as the run that it belongs to says (8.7.4).
func (b *trackBoxes) setPlaces(t *Track, p *parser) error {
	chunks := b.chunks()
	i := 0
	for n, run := range b.stsc.Entries {
		end := uint64(len(chunks)) + 1
		if n+1 < len(b.stsc.Entries) {
			end = uint64(b.stsc.Entries[n+1].FirstChunk)
		}
		if run.FirstChunk == 0 || uint64(run.FirstChunk) > end || end > uint64(len(chunks))+1 {
			return fmt.Errorf("stsc: chunks %d to %d of %d", run.FirstChunk, end, len(chunks))
		}
		for _, offset := range chunks[run.FirstChunk-1 : end-1] {
			if uint64(run.SamplesPerChunk) > uint64(t.Len()-i) {
				return fmt.Errorf("stsc has places for more samples than the %d in stsz", t.Len())
			}
			for range run.SamplesPerChunk {
				size := t.sizes[i]
				if offset > uint64(p.size) || uint64(size) > uint64(p.size)-offset {
					return fmt.Errorf("sample %d, %d bytes at %d, is not in the file of %d bytes: it is cut short", i+1, size, offset, p.size)
				}
				t.offsets[i] = int64(offset)
				offset += uint64(size)
				i++
			}
		}
	}
	if i < t.Len() {
		return fmt.Errorf("stsc and stco have places for %d samples, stsz sizes for %d", i, t.Len())
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
