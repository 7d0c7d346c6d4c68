package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/nal"
	"nvrfs/media"
)

// A nalClip is a stream of x264 or x265 in testdata: its access units without their delimiters, and when each is shown, in pictures.
type nalClip struct {
	name  string
	h265  bool
	units [][][]byte
	shown []int
}

func h264Type(nalu []byte) uint8 { return nalu[0] & 0x1f }
func h265Type(nalu []byte) uint8 { return nalu[0] >> 1 & 0x3f }

func readClip(t testing.TB, name string) *nalClip {
	t.Helper()
	c := &nalClip{name: name, h265: strings.HasSuffix(name, ".h265")}
	stream, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for nalu := range bytes.SplitSeq(stream, []byte{0, 0, 1}) {
		nalu = bytes.TrimRight(nalu, "\x00")
		switch {
		case len(nalu) == 0:
		case !c.h265 && h264Type(nalu) == 9, c.h265 && h265Type(nalu) == 35:
			c.units = append(c.units, nil)
		default:
			last := len(c.units) - 1
			c.units[last] = append(c.units[last], nalu)
		}
	}
	order, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(strings.TrimSuffix(name, ".h264"), ".h265")+".order"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range strings.Fields(string(order)) {
		shown, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		c.shown = append(c.shown, shown)
	}
	if len(c.shown) != len(c.units) || len(c.units) < 10 {
		t.Fatalf("%d access units, %d times", len(c.units), len(c.shown))
	}
	return c
}

func clips(t testing.TB) (clips []*nalClip) {
	t.Helper()
	for _, pattern := range []string{"*.h264", "*.h265"} {
		files, err := filepath.Glob("testdata/" + pattern)
		if err != nil || len(files) < 5 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			clips = append(clips, readClip(t, filepath.Base(f)))
		}
	}
	return clips
}

// has reports whether an access unit has a NAL unit of a type.
func (c *nalClip) has(unit [][]byte, h264, h265 uint8) bool {
	for _, n := range unit {
		if !c.h265 && h264Type(n) == h264 || c.h265 && h265Type(n) == h265 {
			return true
		}
	}
	return false
}

func (c *nalClip) format(numbered bool) format.Format {
	if !c.h265 {
		return &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	}
	f := &format.H265{PayloadTyp: 96}
	if numbered {
		f.MaxDONDiff = 1
	}
	return f
}

// A packing makes payloads of an access unit.
type packing struct {
	name     string
	only     string // the codec whose packing it is
	numbered bool   // it takes decoding order numbers
	payloads func(unit [][]byte, h265 bool) [][]byte
}

func be16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

// fragments cuts a NAL unit, whose fragments have some bytes between their headers and what they carry.
func fragments(nalu []byte, h265 bool, size int, h264Kind byte, number func(start bool) []byte) (payloads [][]byte) {
	head := 1
	if h265 {
		head = 2
	}
	for at := head; at < len(nalu); at += size {
		end := min(at+size, len(nalu))
		var flags byte
		if at == head {
			flags |= 0x80
		}
		if end == len(nalu) {
			flags |= 0x40
		}
		var p []byte
		if h265 {
			p = []byte{nalu[0]&0x81 | 49<<1, nalu[1], flags | h265Type(nalu)}
		} else {
			p = []byte{nalu[0]&0xe0 | h264Kind, flags | h264Type(nalu)}
			if h264Kind == 29 && at > head {
				p[0] = nalu[0]&0xe0 | 28
			}
		}
		p = append(p, number(at == head)...)
		payloads = append(payloads, append(p, nalu[at:end]...))
	}
	return payloads
}

func noNumber(bool) []byte { return nil }

func startNumber(start bool) []byte {
	if start {
		return []byte{0x12, 0x34}
	}
	return nil
}

// aggregate makes one packet of all NAL units, with some bytes before and behind each length.
func aggregate(header []byte, unit [][]byte, before, behind func(i int) []byte) [][]byte {
	p := bytes.Clone(header)
	for i, n := range unit {
		p = append(append(append(append(p, before(i)...), be16(len(n))...), behind(i)...), n...)
	}
	return [][]byte{p}
}

func nothing(int) []byte { return nil }

var packings = []packing{
	{name: "single", payloads: func(unit [][]byte, _ bool) [][]byte { return unit }},
	{name: "fragments", payloads: func(unit [][]byte, h265 bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, fragments(n, h265, 30, 28, noNumber)...)
		}
		return p
	}},
	{name: "one fragment each", payloads: func(unit [][]byte, h265 bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, fragments(n, h265, 1<<16, 28, noNumber)...)
		}
		return p
	}},
	{name: "aggregated", payloads: func(unit [][]byte, h265 bool) [][]byte {
		if h265 {
			return aggregate([]byte{48 << 1, 1}, unit, nothing, nothing)
		}
		return aggregate([]byte{24}, unit, nothing, nothing)
	}},
	{name: "aggregated and padded", payloads: func(unit [][]byte, h265 bool) [][]byte {
		header := []byte{24}
		if h265 {
			header = []byte{48 << 1, 1}
		}
		p := aggregate(header, unit, nothing, nothing)
		return [][]byte{append(p[0], 0, 0, 0)}
	}},
	{name: "start codes", payloads: func(unit [][]byte, _ bool) [][]byte {
		return [][]byte{append([]byte{0, 0, 0, 1}, bytes.Join(unit, []byte{0, 0, 0, 1})...)}
	}},
	{name: "start codes in fragments", payloads: func(unit [][]byte, h265 bool) [][]byte {
		return fragments(bytes.Join(unit, []byte{0, 0, 1}), h265, 50, 28, noNumber)
	}},
	{name: "empty packets", payloads: func(unit [][]byte, _ bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, nil, n, []byte{})
		}
		return p
	}},
	{name: "STAP-B", only: "h264", payloads: func(unit [][]byte, _ bool) [][]byte {
		return aggregate([]byte{25, 1, 2}, unit, nothing, nothing)
	}},
	{name: "MTAP16", only: "h264", payloads: func(unit [][]byte, _ bool) [][]byte {
		return aggregate([]byte{26, 1, 2}, unit, nothing, func(i int) []byte { return []byte{byte(i), 0, 0} })
	}},
	{name: "MTAP24", only: "h264", payloads: func(unit [][]byte, _ bool) [][]byte {
		return aggregate([]byte{27, 1, 2}, unit, nothing, func(i int) []byte { return []byte{byte(i), 0, 0, 0} })
	}},
	{name: "FU-B", only: "h264", payloads: func(unit [][]byte, _ bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, fragments(n, false, 30, 29, startNumber)...)
		}
		return p
	}},
	{name: "single, numbered", only: "h265", numbered: true, payloads: func(unit [][]byte, _ bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, append([]byte{n[0], n[1], 9, 9}, n[2:]...))
		}
		return p
	}},
	{name: "fragments, numbered", only: "h265", numbered: true, payloads: func(unit [][]byte, _ bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, fragments(n, true, 30, 0, startNumber)...)
		}
		return p
	}},
	{name: "aggregated, numbered", only: "h265", numbered: true, payloads: func(unit [][]byte, _ bool) [][]byte {
		return aggregate([]byte{48 << 1, 1}, unit, func(i int) []byte {
			if i == 0 {
				return []byte{1, 2}
			}
			return []byte{1}
		}, nothing)
	}},
	{name: "PACI", only: "h265", payloads: func(unit [][]byte, _ bool) (p [][]byte) {
		for _, n := range unit {
			p = append(p, append([]byte{50 << 1, n[1], h265Type(n) << 1, 3 << 4, 7, 7, 7}, n[2:]...))
		}
		return p
	}},
}

// markings are the ways in which cameras mark packets of an access unit.
var markings = map[string]func(i, n int) bool{
	"the last":   func(i, n int) bool { return i == n-1 },
	"none":       func(int, int) bool { return false },
	"all":        func(int, int) bool { return true },
	"the first":  func(i, _ int) bool { return i == 0 },
	"the second": func(i, _ int) bool { return i == 1 },
}

const (
	clipStart = 100 * frame90k
	clipZero  = 0xffff8000 // the RTP timestamp of its first picture, which wraps soon
)

// A nalSink receives packets, and makes samples of what comes.
type nalSink struct {
	t       testing.TB
	r       Receiver
	units   []Unit
	samples []media.Sample
	entries []media.SampleEntry // of each sample
	errs    []error
	now     time.Time
}

func (k *nalSink) packet(p *rtp.Packet) {
	k.t.Helper()
	units, err := k.r.Packet(p, k.now)
	if err != nil {
		k.errs = append(k.errs, err)
	}
	k.take(units)
}

func (k *nalSink) take(units []Unit) {
	k.t.Helper()
	for _, u := range units {
		pts := clipStart + int64(int32(u.Timestamp-clipZero))
		samples, newEntry, err := k.r.Samples(u, pts)
		if err != nil {
			k.t.Fatal(err)
		}
		if newEntry && !samples[0].Sync {
			k.t.Error("the entry changes where there is no sync sample")
		}
		k.units = append(k.units, u)
		for _, s := range samples {
			k.samples, k.entries = append(k.samples, s), append(k.entries, k.r.Entry())
		}
	}
}

// send sends the access units of a clip, with their payloads as a packing makes them.
func (k *nalSink) send(c *nalClip, p packing, marked func(i, n int) bool) {
	k.t.Helper()
	for i, unit := range c.units {
		payloads := p.payloads(unit, c.h265)
		for j, payload := range payloads {
			k.packet(&rtp.Packet{
				Header:  rtp.Header{Version: 2, PayloadType: 96, Timestamp: clipZero + uint32(c.shown[i]*frame90k), Marker: marked(j, len(payloads))},
				Payload: bytes.Clone(payload),
			})
		}
		k.now = k.now.Add(time.Second / 25)
	}
	k.take(k.r.Flush())
}

func newNALSink(t testing.TB, f format.Format) *nalSink {
	t.Helper()
	_, r, err := Receive(f)
	if err != nil {
		t.Fatal(err)
	}
	return &nalSink{t: t, r: r, now: time.Unix(1e9, 0)}
}

func sampleOf(unit [][]byte) (data []byte) {
	for _, n := range unit {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(n))), n...)
	}
	return data
}

// check looks whether the samples are the access units of a clip, byte for byte.
func (k *nalSink) check(c *nalClip) {
	k.t.Helper()
	if len(k.errs) > 0 {
		k.t.Errorf("errors %v", k.errs)
	}
	if len(k.samples) != len(c.units) {
		k.t.Fatalf("%d samples of %d access units", len(k.samples), len(c.units))
	}
	last, most := int64(-1), int32(8)
	if strings.Contains(c.name, "interlaced") { // the library cannot count fields
		most = 12
	}
	for i, s := range k.samples {
		sync := c.has(c.units[i], nal.H264SPS, nal.H265SPS)
		if strings.Contains(c.name, "refresh") {
			sync = i == 0
		}
		pts := clipStart + int64(c.shown[i])*frame90k
		if !bytes.Equal(s.Data, sampleOf(c.units[i])) || s.Sync != sync || s.PTS() != pts {
			k.t.Errorf("sample %d has %d bytes of %d, sync %v, PTS %d, want %v, %d", i, len(s.Data), len(sampleOf(c.units[i])), s.Sync, s.PTS(), sync, pts)
		}
		if s.DTS <= last || s.CTS < 0 || s.CTS > most*frame90k {
			k.t.Errorf("sample %d is decoded at %d, after one at %d, and shown %d later", i, s.DTS, last, s.CTS)
		}
		last = s.DTS
	}
}

// TestNALStreams receives real streams in every way in which they can be packed and marked.
func TestNALStreams(t *testing.T) {
	for _, c := range clips(t) {
		for _, p := range packings {
			if p.only != "" && !strings.HasSuffix(c.name, p.only) {
				continue
			}
			for name, marked := range markings {
				t.Run(fmt.Sprintf("%s/%s/%s marked", c.name, p.name, name), func(t *testing.T) {
					k := newNALSink(t, c.format(p.numbered))
					k.send(c, p, marked)
					k.check(c)
				})
			}
		}
	}
}
