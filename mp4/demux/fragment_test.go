package demux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"nvrfs/media"
	"nvrfs/media/box"
)

// A fragmenter makes a fragmented file of another one, in one of the many ways in which such files are written.
type fragmenter struct {
	*File
	perFragment int      // samples of each track
	entries     [][]byte // of the video; nil: its own

	trexDefaults  bool // durations and flags stand in the moov
	tfhdDefaults  bool // they stand in each tfhd
	firstFlags    bool // the flags of the first sample stand apart
	absolute      bool // offsets count from the start of the file
	implicit      bool // offsets count from where the moof starts, or what is before ends, and nothing says so
	runs          int  // that a traf has; 0: one
	runOffsets    bool // each of them says where its samples are
	noTimes       bool // there is no tfdt
	wideTimes     bool // they have 64 bits
	from          int64
	between       bool // other boxes are between the fragments
	empty         int  // an empty sample is behind each so many
	shiftBack     int32
	flags         func(sync bool) uint32
	entryOfSample func(i int) uint32 // the number of its entry; nil: 1
}

func fullBox(w *box.Writer, typ string, version uint8, flags uint32, words ...uint32) {
	w.FullBox(typ, version, flags, func() { w.U32s(words...) })
}

func (x *fragmenter) sampleFlags(t *Track, i int) uint32 {
	sync := t.Sample(i).Sync
	switch {
	case x.flags != nil:
		return x.flags(sync)
	case sync:
		return 0x02000000
	}
	return 0x01010000
}

func (x *fragmenter) make() []byte {
	w := &box.Writer{}
	w.Box("ftyp", func() { w.Str("iso5"); w.U32(0); w.Str("iso5") })
	w.Box("moov", func() {
		w.FullBox("mvhd", 0, 0, func() { w.U32s(0, 0, 1000, 0); w.Zeros(80) })
		for k, t := range x.Tracks() {
			x.trak(w, uint32(k+1), t)
		}
		w.Box("mvex", func() {
			for k, t := range x.Tracks() {
				d := []uint32{uint32(k + 1), 1, 0, 0, 0}
				if x.trexDefaults {
					d[2], d[4] = t.Sample(0).Duration, x.sampleFlags(t, min(1, t.Len()-1))
				}
				fullBox(w, "trex", 0, 0, d...)
			}
		})
	})
	for n, from := uint32(1), 0; from < x.longest(); n, from = n+1, from+x.perFragment {
		if x.between {
			w.Box("styp", func() { w.Str("msdh"); w.U32(0) })
			w.Box("sidx", func() { w.Zeros(30) })
			w.Box("emsg", func() { w.Zeros(60) })
		}
		x.fragment(w, n, from)
	}
	if x.between {
		w.Box("mfra", func() { w.Zeros(16) })
	}
	return w.B
}

func (x *fragmenter) longest() (n int) {
	for _, t := range x.Tracks() {
		n = max(n, t.Len())
	}
	return n
}

func (x *fragmenter) trak(w *box.Writer, id uint32, t *Track) {
	entries := [][]byte{t.Entry.Box}
	if id == 1 && x.entries != nil {
		entries = x.entries
	}
	w.Box("trak", func() {
		w.FullBox("tkhd", 0, 3, func() { w.U32s(0, 0, id, 0, 0); w.Zeros(60) })
		w.Box("mdia", func() {
			w.FullBox("mdhd", 0, 0, func() { w.U32s(0, 0, t.Timescale, 0, 0) })
			w.Box("minf", func() {
				w.Box("stbl", func() {
					w.FullBox("stsd", 0, 0, func() {
						w.U32(uint32(len(entries)))
						for _, e := range entries {
							w.Bytes(e)
						}
					})
				})
			})
		})
	})
}

// fragment appends a moof with a part of each track, and their samples.
func (x *fragmenter) fragment(w *box.Writer, n uint32, from int) {
	moof := len(w.B)
	type patch struct{ at, data int }
	var patches []patch
	var data []byte
	w.Box("moof", func() {
		fullBox(w, "mfhd", 0, 0, n)
		for k, t := range x.Tracks() {
			to := min(from+x.perFragment, t.Len())
			if from >= to {
				continue
			}
			w.Box("traf", func() {
				start := len(data)
				x.tfhd(w, uint32(k+1), t, from, func() { patches = append(patches, patch{-len(w.B), start}) })
				x.tfdt(w, t, from)
				runs := max(x.runs, 1)
				for r, first := 0, from; first < to; r++ {
					last := to
					if r < runs-1 {
						last = min(to, first+(to-from+runs-1)/runs)
					}
					if r == 0 && !x.absolute && (!x.implicit || start == 0) || x.runOffsets {
						at := x.trun(w, t, first, last, true)
						patches = append(patches, patch{at, len(data)})
					} else {
						x.trun(w, t, first, last, false)
					}
					for i := first; i < last; i++ {
						sample, _ := t.Read(i)
						data = append(data, sample...)
					}
					first = last
				}
			})
		}
	})
	for _, p := range patches {
		if p.at < 0 {
			binary.BigEndian.PutUint64(w.B[-p.at:], uint64(len(w.B)+8+p.data))
			continue
		}
		base := moof
		if x.absolute {
			base = len(w.B) + 8 // and all runs count from the first
		}
		binary.BigEndian.PutUint32(w.B[p.at:], uint32(len(w.B)+8+p.data-base))
	}
	w.Box("mdat", func() { w.Bytes(data) })
}

func (x *fragmenter) tfhd(w *box.Writer, id uint32, t *Track, from int, absolute func()) {
	flags := uint32(0)
	if x.absolute {
		flags |= tfhdBaseDataOffset
	} else if !x.implicit {
		flags |= tfhdBaseIsMoof
	}
	if x.entryOfSample != nil && id == 1 {
		flags |= tfhdDescription
	}
	if x.tfhdDefaults {
		flags |= tfhdDuration | tfhdFlags
	}
	w.FullBox("tfhd", 0, flags, func() {
		w.U32(id)
		if x.absolute {
			absolute()
			w.U64(0)
		}
		if flags&tfhdDescription != 0 {
			w.U32(x.entryOfSample(from))
		}
		if x.tfhdDefaults {
			w.U32s(t.Sample(from).Duration, x.sampleFlags(t, min(from+1, t.Len()-1)))
		}
	})
}

func (x *fragmenter) tfdt(w *box.Writer, t *Track, from int) {
	time := t.Sample(from).DTS - t.Sample(0).DTS + x.from*int64(t.Timescale)
	switch {
	case x.noTimes:
	case x.wideTimes:
		w.FullBox("tfdt", 1, 0, func() { w.U64(uint64(time)) })
	default:
		fullBox(w, "tfdt", 0, 0, uint32(time))
	}
}

func (x *fragmenter) trun(w *box.Writer, t *Track, from, to int, offset bool) (offsetAt int) {
	defaults := x.trexDefaults || x.tfhdDefaults
	flags := uint32(trunSize | trunShift)
	if offset {
		flags |= trunDataOffset
	}
	if !defaults {
		flags |= trunDuration
	}
	if x.firstFlags {
		flags |= trunFirstFlags
	} else {
		flags |= trunFlags
	}
	w.FullBox("trun", 1, flags, func() {
		countAt, n := len(w.B), uint32(0)
		w.U32(0)
		if offsetAt = len(w.B); offset {
			w.U32(0)
		}
		if x.firstFlags {
			w.U32(x.sampleFlags(t, from))
		}
		put := func(duration, size uint32, flagsOf, shift uint32) {
			if !defaults {
				w.U32(duration)
			}
			w.U32(size)
			if !x.firstFlags {
				w.U32(flagsOf)
			}
			w.U32(shift)
			n++
		}
		for i := from; i < to; i++ {
			s, f := t.Sample(i), x.sampleFlags(t, i)
			shift := uint32(s.CTS)
			if t == x.Video {
				shift = uint32(s.CTS - x.shiftBack)
			}
			if x.empty > 0 && i%x.empty == 0 {
				put(s.Duration/4, s.Size, f, shift)
				put(s.Duration-s.Duration/4, 0, f, shift)
				continue
			}
			put(s.Duration, s.Size, f, shift)
		}
		binary.BigEndian.PutUint32(w.B[countAt:], n)
	})
	return offsetAt
}

// like compares the samples of two files: their times since the first one, whether they are sync samples, and their bytes.
func like(t *testing.T, got, want *File, timesToo bool) {
	t.Helper()
	if len(got.Tracks()) != len(want.Tracks()) {
		t.Fatalf("%d tracks, want %d; left out %q", len(got.Tracks()), len(want.Tracks()), got.LeftOut)
	}
	for k, g := range got.Tracks() {
		w := want.Tracks()[k]
		gotFirst, wantFirst := g.Sample(0), w.Sample(0)
		if g.Len() != w.Len() {
			t.Fatalf("%d %s samples, want %d; left out %q", g.Len(), g.Entry.Kind, w.Len(), got.LeftOut)
		}
		for i := range g.Len() {
			a, b := g.Sample(i), w.Sample(i)
			a.DTS, b.DTS = a.DTS-gotFirst.PTS(), b.DTS-wantFirst.PTS()
			if !timesToo {
				a.DTS, a.Duration, b.DTS, b.Duration = 0, 0, 0, 0
			}
			data, err := g.Read(i)
			wanted, _ := w.Read(i)
			if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) || err != nil || !bytes.Equal(data, wanted) {
				t.Fatalf("%s sample %d is %+v, %v, want %+v, and its bytes are alike: %t", g.Entry.Kind, i, a, err, b, bytes.Equal(data, wanted))
			}
		}
	}
}

func read1(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFragments(t *testing.T) {
	for _, clip := range []string{"aligned.mp4", "bframes.mp4"} {
		src := load(t, clip)
		for name, x := range map[string]fragmenter{
			"plain":                   {},
			"defaults of the moov":    {trexDefaults: true, firstFlags: true},
			"defaults of each":        {tfhdDefaults: true, firstFlags: true},
			"from the file's start":   {absolute: true, runs: 3},
			"from before":             {implicit: true},
			"from before, three runs": {implicit: true, runs: 3},
			"three runs":              {runs: 3},
			"three runs with offsets": {runs: 3, runOffsets: true},
			"without times":           {noTimes: true},
			"wide times":              {wideTimes: true},
			"from the year 2026":      {wideTimes: true, from: 1_790_000_000},
			"boxes between":           {between: true},
			"empty samples":           {empty: 3},
			"shown before decoded":    {shiftBack: 5000},
			"a sample each":           {perFragment: 1},
			"all are said to be sync": {flags: func(bool) uint32 { return 0 }},
			"none is said to be sync": {flags: func(bool) uint32 { return 0x01010000 }},
			"some depend on others":   {flags: func(sync bool) uint32 { return map[bool]uint32{true: 0x02000000, false: 0x01000000}[sync] }},
		} {
			t.Run(clip+"/"+name, func(t *testing.T) {
				x.File, x.perFragment = src, max(x.perFragment, 1)
				if x.perFragment == 1 && !strings.HasPrefix(name, "a sample") {
					x.perFragment = map[string]int{"aligned.mp4": 8, "bframes.mp4": 10}[clip] // a GOP
				}
				got := read1(t, x.make())
				like(t, got, src, true)
				if len(got.LeftOut) > 0 {
					t.Errorf("left out %q", got.LeftOut)
				}
				if start := got.Video.Sample(0).DTS / int64(got.Video.Timescale); start != 0 {
					t.Errorf("it starts after %d s", start)
				}
			})
		}
	}
}

// A file whose recorder died has what is whole in it.
func TestFragmentsCutOff(t *testing.T) {
	src := load(t, "bframes.mp4")
	whole := (&fragmenter{File: src, perFragment: 6}).make()
	mdat := bytes.Index(whole, []byte("moof"))
	before := 0
	for n := mdat; n <= len(whole); n++ {
		f, err := Read(bytes.NewReader(whole[:n]), int64(n))
		if err != nil {
			if before > 0 || !strings.Contains(err.Error(), "no samples in it") {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		if f.Video.Len() < before || f.Video.Len() > before+6 {
			t.Fatalf("%d bytes have %d pictures, one less %d", n, f.Video.Len(), before)
		}
		before = f.Video.Len()
		last := before - 1
		if end := f.Video.Offset(last) + int64(f.Video.Sample(last).Size); end > int64(n) {
			t.Fatalf("%d bytes: the last picture ends at %d", n, end)
		}
		if before < src.Video.Len() && before%6 != 0 && len(f.LeftOut) == 0 {
			t.Fatalf("%d bytes: nobody says that %d pictures are missing", n, src.Video.Len()-before)
		}
	}
	if before != src.Video.Len() {
		t.Errorf("the whole file has %d pictures", before)
	}
}

// Files put together of several, each with times of its own, follow each other.
func TestFragmentsAgain(t *testing.T) {
	src := load(t, "aligned.mp4")
	x := fragmenter{File: src, perFragment: 8}
	whole := x.make()
	fragments := whole[bytes.Index(whole, []byte("moof"))-4:]
	twice := append(bytes.Clone(whole), fragments...) // init, pieces, pieces
	f := read1(t, twice)
	n := src.Video.Len()
	if f.Video.Len() != 2*n || f.Audio.Len() != 2*src.Audio.Len() {
		t.Fatalf("%d and %d samples", f.Video.Len(), f.Audio.Len())
	}
	video, audio := f.Video.Sample(n).DTS-f.Video.Sample(0).DTS, f.Audio.Sample(src.Audio.Len()).DTS-f.Audio.Sample(0).DTS
	if want := media.Rescale(video, f.Video.Timescale, f.Audio.Timescale); audio != want || video < src.Video.Duration() {
		t.Errorf("the second time begins %d ticks after the first, its sound %d, want %d", video, audio, want)
	}
	again := append(bytes.Clone(whole), whole...) // with its init segment, as it was
	like(t, read1(t, again), f, true)
	x.File = load(t, "bframes.mp4")
	other := append(bytes.Clone(whole), x.make()...)
	if f := read1(t, other); f.Video.Len() != n || len(f.LeftOut) != 1 || !strings.Contains(f.LeftOut[0], "another film begins") {
		t.Errorf("%d pictures, left out %q", f.Video.Len(), f.LeftOut)
	}
	// A recorder that is done writes where everything is.
	data, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	done := append(bytes.Clone(data), bytes.Replace(data, []byte("ftyp"), []byte("free"), 1)...)
	if len(read1(t, done).LeftOut) != 0 {
		t.Error("something is left out of a file with samples before another")
	}
	if _, err := Read(bytes.NewReader(fragments), int64(len(fragments))); err == nil || !strings.Contains(err.Error(), "init segment") {
		t.Errorf("without its beginning: %v", err)
	}
}

// A track that changes its parameters says where.
func TestSampleEntries(t *testing.T) {
	src := load(t, "aligned.mp4")
	first := src.Video.Entry.Box
	other := bytes.Clone(first)
	other[len(other)-1]++ // of what is behind the parameter sets
	x := fragmenter{
		File: src, perFragment: 8, entries: [][]byte{first, first, other, []byte("\x00\x00\x00\x08vp09")},
		entryOfSample: func(i int) uint32 { return map[int]uint32{0: 2, 8: 3}[i] },
	}
	f := read1(t, x.make())
	like(t, f, src, true)
	if v := f.Video; len(v.Entries) != 2 || v.EntryOf(0) != 0 || v.EntryOf(7) != 0 || v.EntryOf(8) != 1 || v.EntryOf(15) != 1 ||
		!bytes.Equal(v.Entry.Box, first) || !bytes.Equal(v.Entries[1].Box, other) {
		t.Errorf("%d entries, of samples %v", len(v.Entries), v.changes)
	}
	x.entryOfSample = func(i int) uint32 { return map[int]uint32{0: 2, 8: 4}[i] }
	if f = read1(t, x.make()); f.Video.Len() != 8 || len(f.LeftOut) != 1 || !strings.Contains(f.LeftOut[0], "it goes on as vp09") {
		t.Errorf("%d samples, left out %q", f.Video.Len(), f.LeftOut)
	}
	x.entryOfSample = func(int) uint32 { return 5 }
	data := x.make()
	if _, err := Read(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), "sample entry 5 of 4") {
		t.Errorf("with an entry that is not there: %v", err)
	}
}

// No table says where decoding can start, or one that says everywhere.
func TestSyncSamplesAreFoundByLooking(t *testing.T) {
	for _, clip := range []string{"aligned.mp4", "bframes.mp4", "hevc.mp4"} {
		data, err := os.ReadFile("testdata/" + clip)
		if err != nil {
			t.Fatal(err)
		}
		like(t, read1(t, bytes.Replace(data, []byte("stss"), []byte("free"), 1)), load(t, clip), true)
		none := bytes.Clone(data)
		binary.BigEndian.PutUint32(none[bytes.Index(none, []byte("stss"))+8:], 0)
		like(t, read1(t, none), load(t, clip), true)
	}
}

func TestRotation(t *testing.T) {
	data, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	const one = 0x10000
	put := func(box string, at int, m [9]int32) {
		at += bytes.Index(data, []byte(box)) + 4
		for i, v := range m {
			binary.BigEndian.PutUint32(data[at+4*i:], uint32(v))
		}
	}
	unity := [9]int32{one, 0, 0, 0, one, 0, 0, 0, 1 << 30}
	turned := [9]int32{0, one, 0, -one, 0, 0, 90 << 16, 0, 1 << 30}
	for _, c := range []struct {
		name     string
		track    [9]int32
		movie    [9]int32
		rotation uint16
		mirrored bool
	}{
		{"upright", unity, unity, 0, false},
		{"by 90", turned, unity, 90, false},
		{"by 180", [9]int32{-one, 0, 0, 0, -one, 0, 160 << 16, 90 << 16, 1 << 30}, unity, 180, false},
		{"by 270", [9]int32{0, -one, 0, one, 0, 0, 0, 160 << 16, 1 << 30}, unity, 270, false},
		{"the movie by 90", unity, turned, 90, false},
		{"both by 90", turned, turned, 180, false},
		{"twice as wide", [9]int32{2 * one, 0, 0, 0, one, 0, 0, 0, 1 << 30}, unity, 0, false},
		{"by 90 and half as large", [9]int32{0, one / 2, 0, -one / 2, 0, 0, 0, 0, 1 << 30}, unity, 90, false},
		{"by 80", [9]int32{11380, 64540, 0, -64540, 11380, 0, 0, 0, 1 << 30}, unity, 90, false},
		{"mirrored left to right", [9]int32{-one, 0, 0, 0, one, 0, 0, 0, 1 << 30}, unity, 0, true},
		{"mirrored upside down", [9]int32{one, 0, 0, 0, -one, 0, 0, 0, 1 << 30}, unity, 180, true},
		{"nothing", [9]int32{}, unity, 0, false},
	} {
		put("tkhd", 40, c.track)
		put("mvhd", 36, c.movie)
		f := read1(t, data)
		if f.Video.Entry.Rotation != c.rotation || f.Audio.Entry.Rotation != 0 || len(f.LeftOut) > 0 != c.mirrored {
			t.Errorf("%s: turned by %d, its sound by %d, left out %q", c.name, f.Video.Entry.Rotation, f.Audio.Entry.Rotation, f.LeftOut)
		}
	}
}

func TestForeignFiles(t *testing.T) {
	ts := bytes.Repeat(append([]byte{0x47}, make([]byte, 187)...), 5)
	for want, data := range map[string][]byte{
		"Matroska":               []byte("\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01"),
		"AVI":                    []byte("RIFF\x00\x00\x10\x00AVI LIST"),
		"MPEG transport stream":  ts,
		"(.m2ts)":                bytes.Repeat(append([]byte{0, 0, 0, 0, 0x47}, make([]byte, 187)...), 5),
		"Dahua's .dav":           []byte("DHAV\xfd\x00\x01\x00"),
		"Hikvision's own":        []byte("IMKH\x01\x01\x00\x00"),
		"MPEG program stream":    {0, 0, 1, 0xba, 0x44, 0, 4},
		"bare H.264":             {0, 0, 0, 1, 0x67, 0x64, 0, 0x28, 0, 0, 0, 1},
		"ffmpeg -i IN -c copy O": ts,
	} {
		if _, err := Read(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something with %q", err, want)
		}
	}
}

// What stands beside the picture and cannot be taken is left out, and said.
func TestTracksBeside(t *testing.T) {
	data, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	sound := bytes.LastIndex(data, []byte("stsz"))
	for name, c := range map[string]struct {
		at    int
		value uint32
		want  string
	}{
		"no samples":       {sound + 12, 0, "mp4a: no samples in it"},
		"too many samples": {sound + 12, 1 << 20, "mp4a: "},
		"wild places":      {bytes.LastIndex(data, []byte("stco")) + 12, 1 << 30, "cut short"},
		"no timescale":     {bytes.LastIndex(data, []byte("mdhd")) + 16, 0, "timescale 0"},
	} {
		bad := bytes.Clone(data)
		binary.BigEndian.PutUint32(bad[c.at:], c.value)
		f, err := Read(bytes.NewReader(bad), int64(len(bad)))
		if err != nil || f.Audio != nil || len(f.LeftOut) != 1 || !strings.Contains(f.LeftOut[0], c.want) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

// BenchmarkReadFragments reads the tables of a file of an hour, with a fragment a second.
func BenchmarkReadFragments(b *testing.B) {
	src := load(b, "aligned.mp4")
	data := (&fragmenter{File: src, perFragment: 4}).make()
	moof := bytes.Index(data, []byte("moof")) - 4
	const times = 450 // of 8 fragments
	long := append(bytes.Clone(data[:moof]), bytes.Repeat(data[moof:], times)...)
	for b.Loop() {
		f, err := Read(bytes.NewReader(long), int64(len(long)))
		if err != nil || f.Video.Len() != times*src.Video.Len() {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(times*8*b.N)/b.Elapsed().Seconds(), "fragments/s")
}
