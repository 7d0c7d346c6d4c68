package importer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/volume"
)

// A File is footage in a file of another program, whose tables say where its samples are.
type File struct {
	Source io.ReaderAt
	Tracks []Track // the first is volume.Video, the others are sound
	Laps   int64   // how often it is played, end to end; at least 1

	skip int // pictures that are passed over
}

// A Track is a track of a File. Its times are on a timeline that all tracks share; they may be negative.
type Track struct {
	Entry     media.SampleEntry   // of the first sample, with the timescale that the recordings are to have: of video 90 kHz
	Entries   []media.SampleEntry // of all samples, by EntryOf; nil: they have the same
	Timescale uint32              // of the times in the file
	End       int64               // when the last sample ends
	Table

	// Make makes a sample of Entry of one of the file, in their order; nil: they are the same.
	Make func([]byte) ([]byte, error)
}

// A Table says what samples a track has, in decoding order, as a demux.Track does.
type Table interface {
	Len() int
	Sample(i int) media.Sample // from 0; without its data
	Offset(i int) int64        // of the sample's bytes in the file
	EntryOf(i int) int         // which of the track's Entries the sample has
}

// What a file may ask for at most, far beyond what cameras make. It keeps every time in its field, and a fragment in memory.
const (
	maxPicture     = time.Hour       // that one picture is shown, or that sound goes on behind the last one
	maxSilence     = 5 * time.Hour   // that no sound comes before it is repeated
	latest90k      = 1 << 32 * 90000 // in 2106: what sample files can say of when a picture was taken
	maxSampleBytes = 256 << 20
)

// Measure checks that a file can be imported whose first picture was taken at start. It returns the span of time that the file then
// fills, with its laps, and how many bytes its samples have. It reads no sample.
func (f *File) Measure(start time.Time) (span Span, bytes int64, err error) {
	l, err := f.lapping()
	if err != nil {
		return span, 0, err
	}
	span.From90k = media.FromTime(start)
	lap90k := max(1, l.start(1, 90000))
	if f.Laps < 1 || span.From90k < 0 || f.Laps > (latest90k-span.From90k)/lap90k {
		return span, 0, fmt.Errorf("%d times %v from %v on: want at least once, between 1970 and 2106",
			f.Laps, media.Duration(lap90k).Round(time.Second), start)
	}
	span.To90k = span.From90k + l.start(f.Laps, 90000)
	for i := range f.Tracks {
		t := &f.Tracks[i]
		n, err := t.check(l.from[i])
		if err != nil {
			return span, 0, fmt.Errorf("%s: %w", t.Entry.Kind, err)
		}
		if late := l.end90k(f, i) - l.end90k(f, volume.Video); late > media.Ticks(maxPicture) {
			return span, 0, fmt.Errorf("its sound goes on for %v after its picture; cut that off with: ffmpeg -i IN -c copy -shortest OUT.mp4",
				media.Duration(late).Round(time.Second))
		}
		most := maxPicture
		if i != volume.Video {
			most = maxSilence
		}
		first := media.Rescale(t.Sample(l.from[i]).DTS-l.zero[i], t.Timescale, 90000)
		if pause := first + lap90k - l.end90k(f, i); pause > media.Ticks(most) && f.Laps > 1 {
			return span, 0, fmt.Errorf("its %s would pause for %v before it is repeated, at most %v are taken",
				t.Entry.Kind, media.Duration(pause).Round(time.Second), most)
		}
		bytes += n * f.Laps
	}
	return span, bytes, nil
}

// A Plan is a file that is to be imported.
type Plan struct {
	Path  string
	Start time.Time
	Span  Span
	Bytes int64 // of samples
}

// A Span is a range of wall time, [From90k, To90k).
type Span struct{ From90k, To90k int64 }

// Overlaps reports whether two spans have more than two seconds in common, or half of one of them. Less is no overlap:
// it is what files that followed each other have whose times are known to the second.
func (s Span) Overlaps(t Span) bool {
	common := min(s.To90k, t.To90k) - max(s.From90k, t.From90k)
	return common > 0 && common >= min(joinGap90k, (s.To90k-s.From90k)/2, (t.To90k-t.From90k)/2)
}

// Skip passes over what is shown before a time, which counts from the first picture, up to a sync sample. It returns when that is
// shown, and false, having done nothing, where none follows.
func (f *File) Skip(after90k int64) (at90k int64, ok bool) {
	l, err := f.lapping()
	if err != nil {
		return 0, false
	}
	v := &f.Tracks[volume.Video]
	first := v.Sample(l.from[volume.Video])
	for i := l.from[volume.Video]; i < v.Len(); i++ {
		x := v.Sample(i)
		if at90k = media.Rescale(x.PTS()-first.PTS(), v.Timescale, 90000); x.Sync && at90k >= after90k {
			f.skip = i
			return at90k, true
		}
	}
	return 0, false
}

// check checks the samples of a track from one on, and returns how many bytes they are.
func (t *Track) check(from int) (bytes int64, err error) {
	last := t.Sample(from)
	longest := int64(t.Timescale) * int64(maxPicture/time.Second)
	for i := from; i < t.Len(); i++ {
		x := t.Sample(i)
		switch d, shift := x.DTS-last.DTS, int64(x.CTS); {
		case d < 0:
			return 0, fmt.Errorf("sample %d is decoded before the one before it", i+1)
		case d > longest:
			return 0, fmt.Errorf("sample %d lasts %d s, at most %v are taken", i, d/int64(t.Timescale), maxPicture)
		case shift > longest || shift < -longest:
			return 0, fmt.Errorf("sample %d is shown %d s after it is decoded", i+1, shift/int64(t.Timescale))
		case x.Size > maxSampleBytes:
			return 0, fmt.Errorf("sample %d has %d bytes, at most %d are taken", i+1, x.Size, maxSampleBytes)
		}
		last, bytes = x, bytes+int64(x.Size)
	}
	if d := t.End - last.DTS; d < 0 || d > longest {
		return 0, fmt.Errorf("its last sample lasts %d s, at most %v are taken", d/int64(t.Timescale), maxPicture)
	}
	return bytes, nil
}

// lapping says where the laps of a file lie in its run, whose time 0 is the DTS of the first picture.
type lapping struct {
	length int64 // of a lap: as long as its longest track
	rate   uint32
	from   []int   // by track: the sample with which each lap begins
	zero   []int64 // by track: what in the file, in the track's timescale, is time 0
}

func (f *File) lapping() (l lapping, err error) {
	if len(f.Tracks) == 0 || f.Tracks[volume.Video].Entry.Kind != media.Video || f.Tracks[volume.Video].Entry.Timescale != 90000 {
		return l, errors.New("its first track is not video at 90 kHz")
	}
	longest := time.Duration(0)
	for i := range f.Tracks {
		t := &f.Tracks[i]
		from := 0
		if i == volume.Video {
			from = f.skip
		}
		for i == volume.Video && from < t.Len() && !t.Sample(from).Sync {
			from++
		}
		if from >= t.Len() {
			return l, fmt.Errorf("its %s has no sample at which decoding can start", t.Entry.Kind)
		}
		start := t.Sample(from).DTS
		l.from = append(l.from, from)
		l.zero = append(l.zero, start)
		if i != volume.Video {
			l.zero[i] = media.Rescale(l.zero[volume.Video], f.Tracks[volume.Video].Timescale, t.Timescale)
		}
		if d := time.Duration(media.Rescale(t.End-start, t.Timescale, uint32(time.Second))); d > longest {
			longest, l.length, l.rate = d, t.End-start, t.Timescale
		}
	}
	if longest <= 0 {
		return l, errors.New("it lasts no time")
	}
	return l, nil
}

// start is when a lap starts, in ticks of a rate. It is rounded once, however many laps there were before.
func (l *lapping) start(lap int64, rate uint32) int64 {
	return media.Rescale(lap*l.length, l.rate, rate)
}

// end90k is when a track ends in its first lap.
func (l *lapping) end90k(f *File, track int) int64 {
	t := &f.Tracks[track]
	return media.Rescale(t.End-l.zero[track], t.Timescale, 90000)
}

// located is a sample, and where its bytes lie.
type located struct {
	media.Sample
	offset int64
}

// A cursor walks through the samples of a track, lap after lap.
type cursor struct {
	track *Track
	laps  int64
	lapping
	from int
	zero int64

	// Where it is.
	lap      int64
	lapStart int64 // in ticks of the recordings, as all below
	i        int
	last     int64 // the last tick that the sample before takes

	// The sample that comes next, unless there is none.
	next     located
	dts, pts int64
	over     bool
}

func newCursor(f *File, l lapping, track int) *cursor {
	c := &cursor{
		track: &f.Tracks[track], laps: f.Laps, lapping: l, from: l.from[track], zero: l.zero[track],
		i: l.from[track], last: math.MinInt64 / 2,
	}
	nearly := -int64(c.track.Entry.Timescale) / 1000
	for c.load(); !c.over && c.dts < nearly; c.load() {
		c.step() // what sounds before the first picture has no place in a recording
	}
	c.dts = max(c.dts, 0) // it begins with the picture: the two clocks only round differently
	return c
}

// load finds the times of the sample that comes next. Two samples of one time are moved apart by a tick.
func (c *cursor) load() {
	if c.over {
		return
	}
	c.next = located{c.track.Sample(c.i), c.track.Offset(c.i)}
	dts := c.ticks(c.next.DTS)
	c.dts, c.pts = max(dts, c.last+1), dts
	if c.next.CTS != 0 {
		c.pts = c.ticks(c.next.PTS())
	}
}

// entry returns the sample entry of the sample that comes next.
func (c *cursor) entry() media.SampleEntry {
	if len(c.track.Entries) == 0 {
		return c.track.Entry
	}
	return c.track.Entries[c.track.EntryOf(c.i)]
}

// fragmentEnd returns the DTS of the picture before which the fragment ends that starts with the next one, as a session ends
// its own: a sync sample at least half a second on, or, where two seconds pass without one, the last picture until then that is
// shown after all before it. No fragment has two sample entries.
func (c cursor) fragmentEnd() int64 {
	start, shown, end, first, entry := c.dts, c.pts, int64(0), c.next.Sync, c.track.EntryOf(c.i)
	for c.take(); !c.over; c.take() {
		if c.next.Sync && (c.dts-start >= leastFragment90k || !first || c.track.EntryOf(c.i) != entry) {
			return c.dts
		}
		if c.pts > shown {
			shown, end = c.pts, c.dts
		}
		if c.dts-start >= volume.MaxFragment90k {
			if end > start {
				return end
			}
			return c.dts
		}
	}
	return math.MaxInt64
}

// leastFragment90k is the least that a fragment lasts between two sync samples, because of Motion JPEG every sample is one, and a
// fragment costs some 200 bytes.
const leastFragment90k = 90000 / 2

// ticks converts a time of the file, in the current lap.
func (c *cursor) ticks(t int64) int64 {
	return c.lapStart + media.Rescale(t-c.zero, c.track.Timescale, c.track.Entry.Timescale)
}

// step goes to the next sample, which is still to be loaded.
func (c *cursor) step() {
	if c.i++; c.i < c.track.Len() {
		return
	}
	if c.lap+1 == c.laps {
		c.over = true
		return
	}
	c.lap, c.i = c.lap+1, c.from
	c.lapStart = c.start(c.lap, c.track.Entry.Timescale)
}

// take hands out the sample that comes next. It lasts until the one behind it.
func (c *cursor) take() (x located, cts int32, duration uint32) {
	x, cts = c.next, int32(c.pts-c.dts)
	dts, least := c.dts, int64(1)
	if c.track.Entry.Kind == media.RawAudio {
		least = int64(x.Size) // each of its bytes is a tick
	}
	c.last = dts + least - 1
	c.step()
	c.load()
	if c.over {
		return x, cts, uint32(max(least, c.ticks(c.track.End)-dts))
	}
	return x, cts, uint32(c.dts - dts)
}
