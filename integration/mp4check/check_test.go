package mp4check

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestFixturesAreClean(t *testing.T) {
	for _, name := range []string{bframes, noEdit, hevc} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(t, name).check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReport(t *testing.T) {
	f := load(t, bframes)
	r, err := f.check()
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != int64(len(f.data)) || r.Timescale != 1000 || r.Duration != 2000 || r.NextTrackID != 3 || len(r.Tracks) != 2 {
		t.Fatalf("movie: %+v", r)
	}
	v, a := r.Tracks[0], r.Tracks[1]
	if v.Handler != "vide" || v.ID != 1 || v.Timescale != 12288 || v.MediaDuration != 24576 || v.Duration != 2000 {
		t.Errorf("video: %+v", v)
	}
	if len(v.Edits) != 1 || v.Edits[0] != (Edit{Duration: 2000, MediaTime: 2048, Rate: 1 << 16}) {
		t.Errorf("edits: %+v", v.Edits)
	}
	want := Sample{
		DTS: 12 * 1024, CTS: 14 * 1024, Duration: 1024, Sync: true, IRAP: 5, Entry: 1,
		Offset: v.Samples[12].Offset, Size: v.Samples[12].Size,
	}
	if len(v.Samples) != 24 || v.Samples[12] != want {
		t.Errorf("sample 13 of %d: %+v, want %+v", len(v.Samples), v.Samples[12], want)
	}
	if e := v.Entries[0]; e.Type != "avc1" || e.Width != 128 || e.Height != 72 {
		t.Errorf("entry: %+v", e)
	}
	if e := a.Entries[0]; a.Handler != "soun" || e.Type != "mp4a" || e.SampleRate != 16000 || !bytes.HasPrefix(e.Config, []byte{0x14, 0x08}) {
		t.Errorf("audio: %+v, entry %+v", a, e)
	}
}

// A second sample entry, for the last chunk, is accepted and checked by itself.
func TestSeveralSampleEntries(t *testing.T) {
	f := load(t, noEdit)
	at := f.body(avc1) - 8
	f.insert(video+"/stsd", 8, bytes.Clone(f.data[at:at+f.size(at)]))
	f.put32(video+"/stsd", 4, 2)
	f.insert(video+"/stsc", 20, []byte("\x00\x00\x00\x18\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.put32(video+"/stsc", 4, 2)
	r, err := f.check()
	if err != nil {
		t.Fatal(err)
	}
	v := r.Tracks[0]
	if len(v.Entries) != 2 || v.Samples[22].Entry != 1 || v.Samples[23].Entry != 2 {
		t.Errorf("%d entries, samples of %d and %d", len(v.Entries), v.Samples[22].Entry, v.Samples[23].Entry)
	}
	f.put8(video+"/stsd/avc12/avcC", 1, 77)
	if _, err := f.check(); len(Violations(err)) != 1 || rules(err)[0] != RuleConfigProfile {
		t.Errorf("second avcC of another profile: %v", err)
	}
}

// Fragment headers within mdat that no chunk refers to are nobody's business.
func TestUnreferencedBytesInMdat(t *testing.T) {
	f := load(t, bframes)
	junk := append([]byte("\x00\x00\x00\x30moof\x00\x00\x00\x28traf"), bytes.Repeat([]byte{0xff}, 32)...)
	f.insert("mdat", 0, junk)
	f.insert("mdat", f.sampleAt(13)-f.body("mdat"), junk)
	if _, err := f.check(); err != nil {
		t.Error(err)
	}
}

// Parameter sets that repeat those of avcC may stand among the samples.
func TestKnownParameterSetInBand(t *testing.T) {
	f := load(t, noEdit)
	at := f.body(avcC) + 6 // length in 16 bits, SPS
	n := int(f.data[at])<<8 | int(f.data[at+1])
	nal := append([]byte{0, 0, 0, byte(n + 1)}, f.data[at+2:at+2+n]...)
	nal = append(nal, 0) // trailing_zero_8bits
	f.insert("mdat", f.sampleAt(13)-f.body("mdat"), nal)
	for i := range int(f.get32(video+"/stco", 4)) { // the chunk starts at its new NAL unit
		if off := int(f.get32(video+"/stco", 8+4*i)); off == f.sampleAt(13) {
			f.add32(video+"/stco", 8+4*i, -len(nal))
			break
		}
	}
	f.add32(video+"/stsz", 12+4*12, len(nal))
	if _, err := f.check(); err != nil {
		t.Error(err)
	}
}

// Pictures that lead an H.265 CRA picture are shown before it.
func TestLeadingPictures(t *testing.T) {
	f := load(t, hevc)
	at := f.sampleAt(13) + 4
	if kind := f.data[at] >> 1 & 0x3f; kind != 20 {
		t.Fatalf("sample 13 starts with NAL type %d, not IDR_N_LP", kind)
	}
	f.put32(video+"/ctts", 8+10*8+4, 88) // sample 14
	if _, err := f.check(); !slices.Equal(rules(err), []string{RuleCtsSync}) {
		t.Errorf("before an IDR: %v", err)
	}
	f.data[at] = 21 << 1
	if _, err := f.check(); err != nil {
		t.Errorf("before a CRA: %v", err)
	}
}

// Headers and edit lists of version 1, co64 and a 64-bit mdat size are read.
func TestWideFields(t *testing.T) {
	f := load(t, bframes)
	widen := func(path string, duration int) {
		f.insert(path, duration, make([]byte, 4))
		f.insert(path, 4, make([]byte, 8)) // creation and modification time, which are 0
		f.put8(path, 0, 1)
	}
	widen("moov/mvhd", 16)
	widen("moov/trak/tkhd", 20)
	widen("moov/trak/mdia/mdhd", 16)
	f.insert("moov/trak/edts/elst", 12, make([]byte, 4))
	f.insert("moov/trak/edts/elst", 8, make([]byte, 4))
	f.put8("moov/trak/edts/elst", 0, 1)

	n := int(f.get32(audio+"/stco", 4))
	f.insert(audio, 0, append([]byte{0, 0, byte((16 + 8*n) >> 8), byte(16 + 8*n)}, append([]byte("co64"), make([]byte, 8+8*n)...)...))
	f.insert("mdat", 0, make([]byte, 8))
	f.put32(audio+"/co64", 4, uint32(n))
	for i := range n {
		f.put32(audio+"/co64", 8+8*i+4, f.get32(audio+"/stco", 8+4*i))
	}
	f.rename(audio+"/stco", "free")
	f.put32("mdat", 4, uint32(f.size(f.body("mdat")-8)))
	f.put32("mdat", -8, 1)

	r, err := f.check()
	if err != nil {
		t.Fatal(err)
	}
	old, _ := load(t, bframes).check()
	if r.Duration != old.Duration || r.Tracks[0].Edits[0] != old.Tracks[0].Edits[0] || r.Tracks[0].MediaDuration != old.Tracks[0].MediaDuration {
		t.Errorf("read %+v, track %+v", r, r.Tracks[0])
	}
}

// hugeFile is a fixture whose mdat, the last box, goes on with zeros. It counts
// what is read.
type hugeFile struct {
	data []byte
	size int64
	read int64
}

func (h *hugeFile) ReadAt(b []byte, off int64) (int, error) {
	n := int(min(int64(len(b)), h.size-off))
	clear(b[:n])
	if off < int64(len(h.data)) {
		copy(b[:n], h.data[off:])
	}
	h.read += int64(n)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func TestBigFilesAreCheap(t *testing.T) {
	f := load(t, bframes)
	mdat := f.body("mdat") - 8
	h := &hugeFile{data: f.data, size: 4<<30 - 1}
	f.put32("mdat", -8, uint32(h.size-int64(mdat)))
	if _, err := Check(h, h.size); err != nil {
		t.Fatal(err)
	}
	if h.read > 16<<10 {
		t.Errorf("read %d bytes", h.read)
	}
}

// A reader that fails is an error, and no violation.
func TestReadErrors(t *testing.T) {
	f := load(t, bframes)
	r, err := Check(bytes.NewReader(f.data), int64(len(f.data))+100)
	if r == nil || !errors.Is(err, io.EOF) || len(Violations(err)) != 0 {
		t.Errorf("file shorter than said: %v", err)
	}
	broken := errors.New("broken")
	if _, err := Check(failAfter{bytes.NewReader(f.data), int64(f.sampleAt(13)), broken}, int64(len(f.data))); !errors.Is(err, broken) {
		t.Errorf("unreadable sample: %v", err)
	}
}

// failAfter fails to read at or after an offset.
type failAfter struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (f failAfter) ReadAt(b []byte, off int64) (int, error) {
	if off >= f.at {
		return 0, f.err
	}
	return f.r.ReadAt(b, off)
}

// A defect in every sample does not make an error of every sample.
func TestViolationsAreCapped(t *testing.T) {
	f := load(t, bframes)
	for i := range 24 {
		f.put32(video+"/stsz", 12+4*i, 0)
	}
	_, err := f.check()
	n := 0
	for _, v := range Violations(err) {
		if v.Rule == RuleSampleSize {
			n++
		}
	}
	if n != maxPerRule+1 || !strings.Contains(err.Error(), "sample 1 has no bytes") {
		t.Errorf("%d violations of %s: %v", n, RuleSampleSize, err)
	}
}

// declaredRules returns the values of the Rule constants in the source.
func declaredRules(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "rules.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Rule") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return true
	})
	return names
}
