package demux

import (
	"encoding/binary"
	"errors"
	"math"

	"nvrfs/media"
	"nvrfs/media/box"
)

// fragmentDefaults is what holds for the samples of a fragment that say nothing else (ISO/IEC 14496-12 8.8.3).
type fragmentDefaults struct {
	description, duration, size, flags uint32
}

// What tells of a sample in a fragment whether it is a sync sample (8.8.3.1): that it is none, or that it depends on others.
const (
	sampleIsNonSync    = 0x00010000
	sampleDependsMask  = 0x03000000
	sampleDependsOnOne = 0x01000000
)

// tfhd flags (8.8.7.1)
const (
	tfhdBaseDataOffset = 0x000001
	tfhdDescription    = 0x000002
	tfhdDuration       = 0x000008
	tfhdSize           = 0x000010
	tfhdFlags          = 0x000020
	tfhdBaseIsMoof     = 0x020000
)

// trun flags (8.8.8.1)
const (
	trunDataOffset = 0x001
	trunFirstFlags = 0x004
	trunDuration   = 0x100
	trunSize       = 0x200
	trunFlags      = 0x400
	trunShift      = 0x800
)

// fields reads big-endian numbers from the start of a box's content.
type fields struct {
	b     []byte
	short bool // it ended before a number did
}

func (f *fields) u32() uint32 {
	if len(f.b) < 4 {
		f.short = true
		return 0
	}
	v := binary.BigEndian.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fields) u64() uint64 { return uint64(f.u32())<<32 | uint64(f.u32()) }

// readFragment reads the moof at a place: what it has of each track goes behind what the track has already. What cannot be right
// ends the track there, because it could not be decoded behind a gap.
func (p *parser) readFragment(moof []byte, at int64) {
	p.fragments++
	boxes, _ := box.Children(moof) // the checksums or padding behind some are nothing to us
	data := at                     // where the next traf's samples are, if it does not say
	for _, b := range boxes {
		if b.Type == "traf" {
			data = p.readTrackFragment(b.Body, at, data)
		}
	}
}

// readTrackFragment reads a traf (8.8.6), and returns where its samples end.
func (p *parser) readTrackFragment(traf []byte, moof, data int64) (end int64) {
	boxes, _ := box.Children(traf)
	tfhd := fields{b: box.Find(boxes, "tfhd")}
	flags := tfhd.u32()
	t := p.track(tfhd.u32())
	if tfhd.short {
		return data
	}
	r := runReader{p: p, t: t, at: data}
	if t != nil {
		r.defaults = t.defaults
	}
	if r.read(&tfhd, flags, moof); tfhd.short {
		return data
	}
	if t != nil && !t.over && t.err == nil {
		t.beginFragment(box.Find(boxes, "tfdt"))
		if err := t.describe(r.defaults.description); err != nil {
			t.end(err)
		}
	}
	r.base = r.at
	for _, b := range boxes {
		if b.Type == "trun" {
			if err := r.run(b.Body); err != nil {
				t.end(err)
			}
		}
	}
	return r.at
}

// end leaves the track with the samples that it has, and ignores later fragments.
func (t *trackReader) end(why error) {
	if t == nil || t.over || t.err != nil {
		return
	}
	if len(t.track.dts) == 0 {
		t.err = why
		return
	}
	t.p.note("%s: all behind its sample %d: %v", printable(t.boxes[0][4:8]), len(t.track.dts), why)
	t.over = true
}

// beginFragment sets the time of the next sample to that of a tfdt (8.8.12), nil where there is none. Where it goes back, as in
// files that were put together of several, the fragment follows the one before it.
func (t *trackReader) beginFragment(tfdt []byte) {
	f := fields{b: tfdt}
	version := f.u32() >> 24
	time := uint64(f.u32())
	if version == 1 {
		time = time<<32 | uint64(f.u32())
	}
	if f.short || time > math.MaxInt64/4 {
		return
	}
	begins := int64(time)
	if begins < t.fragment {
		t.p.restart(t, begins)
	}
	t.fragment = begins
	t.next = t.zero + t.shift + begins
	if n := len(t.track.dts); n > 0 {
		t.next = max(t.next, t.track.dts[n-1]+1) // their durations were rounded up
	}
}

// restart has the times that begin anew with a fragment of t follow all that there is, in all tracks alike.
func (p *parser) restart(t *trackReader, begins int64) {
	var end int64 // in ticks of t
	for _, x := range p.tracks {
		end = max(end, media.Rescale(x.next-x.zero, x.track.Timescale, t.track.Timescale))
	}
	for _, x := range p.tracks {
		x.shift, x.fragment = media.Rescale(end-begins, t.track.Timescale, x.track.Timescale), 0
	}
}

// runReader reads the runs of samples of a traf.
type runReader struct {
	p        *parser
	t        *trackReader // nil: of a track that is not read
	defaults fragmentDefaults
	base     int64 // from which data offsets count
	at       int64 // where the next sample is
}

// read reads what a tfhd says (8.8.7), and where its data begin.
func (r *runReader) read(tfhd *fields, flags uint32, moof int64) {
	switch {
	case flags&tfhdBaseDataOffset != 0:
		r.at = int64(min(tfhd.u64(), math.MaxInt64/2))
	case flags&tfhdBaseIsMoof != 0:
		r.at = moof
	}
	for _, x := range []struct {
		flag uint32
		to   *uint32
	}{
		{tfhdDescription, &r.defaults.description},
		{tfhdDuration, &r.defaults.duration},
		{tfhdSize, &r.defaults.size},
		{tfhdFlags, &r.defaults.flags},
	} {
		if flags&x.flag != 0 {
			*x.to = tfhd.u32()
		}
	}
}

var (
	errShortRun = errors.New("a trun box is cut short")
	errOutside  = errors.New("a sample is outside the file")
)

// run reads a trun.
func (r *runReader) run(trun []byte) error {
	f := fields{b: trun}
	flags := f.u32()
	count := f.u32()
	if flags&trunDataOffset != 0 {
		r.at = r.base + int64(int32(f.u32()))
	}
	first := r.defaults.flags
	if flags&trunFirstFlags != 0 {
		first = f.u32()
	}
	perSample := 0
	for _, x := range []uint32{trunDuration, trunSize, trunFlags, trunShift} {
		if flags&x != 0 {
			perSample += 4
		}
	}
	if f.short || int64(len(f.b)) < int64(perSample)*int64(count) {
		return errShortRun
	}
	if r.at < 0 {
		return errOutside
	}
	if r.t != nil && (r.t.over || r.t.err != nil) {
		return nil
	}
	if perSample == 0 && (r.t == nil || r.t.momentary(r.defaults.size) && r.defaults.duration == 1) {
		return r.alike(int64(count))
	}
	if perSample == 0 && count > maxSamples {
		return errOutside
	}
	for i := range count {
		duration, size, sampleFlags, shift := r.defaults.duration, r.defaults.size, r.defaults.flags, int32(0)
		if flags&trunDuration != 0 {
			duration = f.u32()
		}
		if flags&trunSize != 0 {
			size = f.u32()
		}
		if flags&trunFlags != 0 {
			sampleFlags = f.u32()
		}
		if i == 0 && flags&trunFirstFlags != 0 {
			sampleFlags = first
		}
		if flags&trunShift != 0 {
			shift = int32(f.u32())
		}
		sync := sampleFlags&sampleIsNonSync == 0 && sampleFlags&sampleDependsMask != sampleDependsOnOne
		if err := r.sample(media.Sample{CTS: shift, Size: size, Sync: sync}, uint64(duration)); err != nil {
			return err
		}
	}
	return nil
}

// alike reads a run of samples that are all alike: of a track that is not read, or moments of uncompressed sound.
func (r *runReader) alike(count int64) error {
	if r.t == nil {
		r.at += count * int64(r.defaults.size)
		return nil
	}
	for count > 0 {
		n := min(count, packetMoments)
		if err := r.sample(media.Sample{Size: uint32(n) * uint32(r.t.moment), Sync: true}, uint64(n)); err != nil {
			return err
		}
		count -= n
	}
	return nil
}

// sample adds a sample, unless the file ends before it does.
func (r *runReader) sample(s media.Sample, duration uint64) error {
	at := r.at
	if r.at > math.MaxInt64-int64(s.Size) {
		return errOutside
	}
	r.at += int64(s.Size)
	switch {
	case r.t == nil || r.t.over:
		return nil
	case r.at > r.p.size: // it is cut off
		r.p.lost++
		r.t.over = true
		return nil
	}
	return r.t.add(s, at, duration)
}
