package nal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"nvrfs/codec/codectest"
)

// A testPacket is one that a test sends.
type testPacket struct {
	payload   []byte
	timestamp uint32
	mark      bool
	lost      bool // packets before it are
}

// describeUnits lists access units: their timestamps, the types of their NAL units, and what is wrong with them.
func describeUnits(units []AccessUnit) (d []string) {
	for _, u := range units {
		var kinds []string
		for _, p := range u.Parts {
			kinds = append(kinds, fmt.Sprint(h264Type(p)))
		}
		text := fmt.Sprintf("%d: %s", u.Timestamp, strings.Join(kinds, " "))
		if u.Damaged {
			text += " damaged"
		}
		d = append(d, text)
	}
	return d
}

// newTestAssembler knows some sets.
func newTestAssembler(sets ...[]byte) *Assembler {
	r := NewH264()
	for _, s := range sets {
		r.Learn(s)
	}
	return NewAssembler(r)
}

func fu(nalu []byte, from, to int) []byte {
	var flags byte
	if from == 0 {
		from, flags = 1, 0x80
	}
	if to == len(nalu) {
		flags |= 0x40
	}
	return append([]byte{nalu[0]&0xe0 | 28, flags | nalu[0]&0x1f}, nalu[from:to]...)
}

func TestPicturesH264(t *testing.T) {
	sps, pps := codectest.SPSOf(0, 30, 10, false), codectest.PPSOf(0, 0, false)
	pict := func(n int) []byte { return codectest.H264Slice{Frame: n % 16, Order: 2 * n}.NALU() }
	part := func(n, mb int) []byte { return codectest.H264Slice{Frame: n % 16, Order: 2 * n, MB: mb}.NALU() }
	idr := func(mb int) []byte { return codectest.H264Slice{IDR: true, MB: mb}.NALU() }
	field := func(n, of int) []byte { return codectest.H264Slice{Frame: n % 16, Order: 2*n + of, Field: of}.NALU() }
	fieldPart := func(n, of, mb int) []byte {
		return codectest.H264Slice{Frame: n % 16, Order: 2*n + of, Field: of, MB: mb}.NALU()
	}
	interlaced := codectest.SPSOf(0, 30, 10, true)
	aud, sei := []byte{9, 0xf0}, []byte{6, 1, 1, 0, 0x80}
	big := append(pict(1), bytes.Repeat([]byte{7}, 40)...)
	for _, c := range []struct {
		name    string
		packets []testPacket
		want    []string
		errs    string
	}{
		{name: "two pictures of one timestamp", packets: []testPacket{
			{payload: sps}, {payload: pps}, {payload: idr(0)}, {payload: pict(1)}, {payload: pict(2), mark: true},
		}, want: []string{"0: 7 8 5", "0: 1", "0: 1"}},
		{name: "a picture of several timestamps", packets: []testPacket{
			{payload: idr(0)}, {payload: idr(10), timestamp: 5}, {payload: pict(1), timestamp: 9}, {payload: part(1, 7), timestamp: 9},
		}, want: []string{"0: 5 5", "9: 1 1"}},
		{name: "sets and messages with a timestamp of their own", packets: []testPacket{
			{payload: sps, timestamp: 1, mark: true},
			{payload: pps, timestamp: 2, mark: true},
			{payload: sei, timestamp: 3, mark: true},
			{payload: idr(0), timestamp: 4, mark: true},
			{payload: sei, timestamp: 9},
			{payload: pict(1), timestamp: 8},
		}, want: []string{"4: 7 8 6 5", "8: 6 1"}},
		{name: "a delimiter and sets between the slices of a picture", packets: []testPacket{
			{payload: idr(0)}, {payload: aud}, {payload: sps}, {payload: idr(9)}, {payload: pict(1), timestamp: 9},
		}, want: []string{"0: 5 7 5", "9: 1"}},
		{name: "partitions and an end of the sequence", packets: []testPacket{
			{payload: append([]byte{0x42}, pict(0)[1:]...)}, {payload: []byte{3, 1}}, {payload: []byte{4, 1}}, {payload: []byte{10}}, {payload: pict(1), timestamp: 9},
		}, want: []string{"0: 2 3 4 10", "9: 1"}},
		{name: "slices in another order", packets: []testPacket{
			{payload: sps},
			{payload: pps},
			{payload: idr(20)},
			{payload: idr(0)},
			{payload: idr(10)},
			{payload: part(1, 20), timestamp: 9},
			{payload: part(1, 0), timestamp: 9},
			{payload: part(1, 10), timestamp: 9},
		}, want: []string{"0: 7 8 5 5 5", "9: 1 1 1"}},
		{name: "redundant slices", packets: []testPacket{
			{payload: sps},
			{payload: codectest.PPSOf(0, 0, true)},
			{payload: codectest.H264Slice{IDR: true, HasRedundant: true}.NALU()},
			{payload: codectest.H264Slice{IDR: true, Redundant: true}.NALU()},
			{payload: codectest.H264Slice{IDR: true, MB: 9, HasRedundant: true}.NALU()},
			{payload: codectest.H264Slice{Frame: 1, Order: 2, HasRedundant: true}.NALU(), timestamp: 9},
		}, want: []string{"0: 7 8 5 5 5", "9: 1"}},
		{name: "two fields", packets: []testPacket{
			{payload: interlaced},
			{payload: pps},
			{payload: codectest.H264Slice{IDR: true, Field: 1}.NALU(), mark: true},
			{payload: aud},
			{payload: sei},
			{payload: field(0, 2), timestamp: 5, mark: true},
			{payload: field(1, 1), timestamp: 9},
			{payload: fieldPart(1, 1, 20), timestamp: 9},
			{payload: field(1, 2), timestamp: 9},
			{payload: fieldPart(1, 2, 20), timestamp: 9},
			{payload: field(2, 2), timestamp: 18},
			{payload: field(2, 1), timestamp: 18},
		}, want: []string{"0: 7 8 5 6 1", "9: 1 1 1 1", "18: 1 1"}},
		{name: "fields alone, and frames between them", packets: []testPacket{
			{payload: interlaced},
			{payload: pps},
			{payload: codectest.H264Slice{IDR: true, Field: 3}.NALU()},
			{payload: field(1, 1), timestamp: 9},
			{payload: field(2, 1), timestamp: 18},
			{payload: codectest.H264Slice{Frame: 3, Order: 6, Field: 3}.NALU(), timestamp: 27},
			{payload: field(4, 2), timestamp: 36},
		}, want: []string{"0: 7 8 5", "9: 1", "18: 1", "27: 1", "36: 1"}},
		{name: "the first slice of the second field is lost", packets: []testPacket{
			{payload: interlaced},
			{payload: pps},
			{payload: codectest.H264Slice{IDR: true, Field: 1}.NALU()},
			{payload: fieldPart(0, 2, 20), lost: true},
			{payload: field(1, 1), timestamp: 9},
		}, want: []string{"0: 7 8 5 1 damaged", "9: 1"}},

		{name: "joined in the middle of a picture", packets: []testPacket{
			{payload: fu(big, 10, 20)}, {payload: fu(big, 20, len(big))}, {payload: idr(9)}, {payload: pict(1), timestamp: 9},
		}, want: []string{"0: 5 damaged", "9: 1"}},
		{name: "a slice in the middle is lost", packets: []testPacket{
			{payload: idr(0)}, {payload: idr(20), lost: true}, {payload: pict(1), timestamp: 9},
		}, want: []string{"0: 5 5 damaged", "9: 1"}},
		{name: "the first slice is lost", packets: []testPacket{
			{payload: pict(0)}, {payload: idr(20), timestamp: 9, lost: true, mark: true}, {payload: pict(1), timestamp: 18},
		}, want: []string{"0: 1 damaged", "9: 5 damaged", "18: 1"}},
		{name: "the first slice is lost behind a marked picture", packets: []testPacket{
			{payload: pict(0), mark: true}, {payload: idr(20), timestamp: 9, lost: true}, {payload: pict(1), timestamp: 18},
		}, want: []string{"0: 1", "9: 5 damaged", "18: 1"}},
		{name: "the last slice is lost", packets: []testPacket{
			{payload: idr(0)}, {payload: pict(1), timestamp: 9, lost: true, mark: true}, {payload: pict(2), timestamp: 18},
		}, want: []string{"0: 5 damaged", "9: 1", "18: 1"}},
		{name: "whole pictures are lost between marked ones", packets: []testPacket{
			{payload: idr(0), mark: true}, {payload: pict(5), timestamp: 9, lost: true, mark: true}, {payload: pict(6), timestamp: 18},
		}, want: []string{"0: 5", "9: 1", "18: 1"}},
		{name: "marks do not tell what was lost where they lie", packets: []testPacket{
			{payload: idr(0), mark: true},
			{payload: idr(9), mark: true},
			{payload: pict(1), timestamp: 9, mark: true},
			{payload: pict(2), timestamp: 18, lost: true, mark: true},
		}, want: []string{"0: 5 5", "9: 1 damaged", "18: 1"}},
		{name: "a fragment in the middle is lost", packets: []testPacket{
			{payload: idr(0)},
			{payload: fu(big, 0, 10), timestamp: 9},
			{payload: fu(big, 20, len(big)), timestamp: 9, lost: true},
			{payload: part(1, 9), timestamp: 9},
			{payload: pict(2), timestamp: 18},
		}, want: []string{"0: 5", "9: 1 damaged", "18: 1"}},
		{name: "the last fragment is lost", packets: []testPacket{
			{payload: fu(big, 0, 10)},
			{payload: fu(big, 10, len(big))},
			{payload: part(1, 9)},
			{payload: fu(part(1, 11), 0, 5)},
			{payload: pict(2), timestamp: 18, lost: true},
		}, want: []string{"0: 1 1 damaged", "18: 1"}},
		{name: "a camera leaves out the last fragment", packets: []testPacket{
			{payload: fu(big, 0, 10)},
			{payload: fu(big, 10, len(big))},
			{payload: fu(pict(2), 0, 5), timestamp: 9},
			{payload: pict(3), timestamp: 18},
		}, want: []string{"0: 1", "18: 1"}, errs: "the last fragment of a NAL unit did not come"},
		{name: "a camera marks no last fragments", packets: []testPacket{
			{payload: fu(big, 0, 10)},
			{payload: fu(big, 10, len(big)-1), mark: true},
			{payload: fu(pict(2), 0, 5), timestamp: 9},
			{payload: part(2, 9), timestamp: 9},
			{payload: pict(3), timestamp: 18},
		}, want: []string{"0: 1", "9: 1 1", "18: 1"}},
		{name: "damaged slices", packets: []testPacket{
			{payload: idr(0)},
			{payload: append([]byte{0x80 | 0x65}, idr(9)[1:]...)},
			{payload: idr(20)},
			{payload: []byte{0x80 | 6, 1}, timestamp: 9},
			{payload: pict(1), timestamp: 9},
			{payload: pict(2), timestamp: 18},
		}, want: []string{"0: 5 5 damaged", "9: 1", "18: 1"}, errs: "a slice of a picture says of itself that it is damaged"},
		{name: "packets that are cut short", packets: []testPacket{
			{payload: idr(0)},
			{payload: []byte{28}, timestamp: 9},
			{payload: []byte{24, 0}, timestamp: 9},
			{payload: []byte{24, 0, 9, 0x41}, timestamp: 9},
			{payload: []byte{26, 0}, timestamp: 9},
			{payload: []byte{0x65}, timestamp: 9},
			{payload: pict(1), timestamp: 9},
		}, want: []string{"0: 5", "9: 1"}, errs: "a packet of NAL units is cut short; an aggregation packet has a NAL unit of 9 bytes, but 1 remain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTestAssembler(codectest.SPSOf(0, 30, 10, false), codectest.PPSOf(0, 0, false))
			var units []AccessUnit
			var errs []string
			for _, p := range c.packets {
				if p.lost {
					r.Lost()
				}
				u, err := r.Packet(&rtp.Packet{Header: rtp.Header{Version: 2, Timestamp: p.timestamp, Marker: p.mark}, Payload: p.payload}, time.Time{})
				units = append(units, u...)
				if err != nil {
					errs = append(errs, err.Error())
				}
			}
			units = append(units, r.Flush()...)
			if got := describeUnits(units); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if got := strings.Join(errs, "; "); got != c.errs {
				t.Errorf("errors %q, want %q", got, c.errs)
			}
		})
	}
}

// TestPicturesAtTheirMarks checks how long a picture waits: until its mark, once marks have been right, and never again where one
// was wrong.
func TestPicturesAtTheirMarks(t *testing.T) {
	r := newTestAssembler(codectest.SPSOf(0, 30, 10, false), codectest.PPSOf(0, 0, false))
	send := func(timestamp uint32, mark bool, payload []byte) string {
		units, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: timestamp, Marker: mark}, Payload: payload}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(describeUnits(units), ", ")
	}
	n := uint32(0)
	whole := func() string {
		n++
		return send(n, true, codectest.H264Slice{Frame: int(n % 16), Order: int(2*n) % 256}.NALU())
	}
	for range provenMarks {
		if got, want := whole(), fmt.Sprintf("%d: 1", n-1); n > 1 && got != want {
			t.Fatalf("picture %d: got %q, want %q", n, got, want)
		}
	}
	if got, want := whole(), fmt.Sprintf("%d: 1, %d: 1", n-1, n); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 20 {
		if got, want := whole(), fmt.Sprintf("%d: 1", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// A mark too early: what comes behind it is not lost, and nothing is believed any more.
	if got := send(n, false, codectest.H264Slice{Frame: int(n % 16), Order: int(2*n) % 256, MB: 9}.NALU()); got != "" {
		t.Errorf("got %q", got)
	}
	if got, want := whole(), fmt.Sprintf("%d: 1 damaged", n-1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 20 {
		if got, want := whole(), fmt.Sprintf("%d: 1", n-1); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPicturesAreBounded has cameras send access units, and NAL units, that never end.
func TestPicturesAreBounded(t *testing.T) {
	first, more := codectest.H264Slice{IDR: true}.NALU(), codectest.H264Slice{IDR: true, MB: 7}.NALU()
	large := append(bytes.Clone(more), make([]byte, 60_000)...)
	for i := range large[len(more):] {
		large[len(more)+i] = 0x55
	}
	for name, c := range map[string]struct {
		first, more []byte
		packets     int
		damaged     bool
	}{
		"slices":           {first, more, 3 * maxPictureUnits, true},
		"bytes":            {first, large, 3 * maxPictureBytes / len(large), true},
		"messages":         {[]byte{6, 1}, []byte{6, 1}, 3 * maxPictureUnits, false},
		"large messages":   {[]byte{6, 1}, append([]byte{6}, large...), 3 * maxPictureBytes / len(large), false},
		"fragments":        {[]byte{28, 0x85, 0x88, 0x88}, []byte{28, 5, 0x88}, 3 * maxFragments, false}, // the picture is dropped
		"empty fragments":  {[]byte{28, 0x85, 0x88, 0x88}, []byte{28, 5}, 3 * maxFragments, false},
		"large fragments":  {[]byte{28, 0x85, 0x88, 0x88}, append([]byte{28, 5}, large...), 3 * maxPictureBytes / len(large), false},
		"units in packets": {first, append(append([]byte{0, 0, 1}, bytes.Repeat([]byte{6, 6, 0, 0, 1}, 10000)...), 5), 50, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestAssembler(codectest.SPSOf(0, 30, 10, false), codectest.PPSOf(0, 0, false))
			errs, kept := 0, 0
			for i := range c.packets {
				p := c.more
				if i == 0 {
					p = c.first
				}
				units, err := r.Packet(&rtp.Packet{Payload: p}, time.Time{})
				if len(units) > 0 {
					t.Fatal("it ends")
				}
				if err != nil {
					errs++
				}
				held := 0
				for _, part := range r.pictures.unit.Parts {
					held += len(part)
				}
				for _, u := range r.pictures.before {
					held += len(u.data)
				}
				kept = max(kept, held+r.packets.fragmentBytes)
			}
			if name != "empty fragments" && errs == 0 || errs > 10 {
				t.Errorf("%d errors", errs)
			}
			if kept > maxPictureBytes+maxBeforeBytes || len(r.packets.fragments) > maxFragments {
				t.Errorf("%d bytes are kept", kept)
			}
			// The next picture is whole, and this one is not.
			next, err := r.Packet(&rtp.Packet{Header: rtp.Header{Timestamp: 9, Marker: true}, Payload: codectest.H264Slice{IDR: true, IDRID: 1}.NALU()}, time.Time{})
			next = append(next, r.Flush()...)
			if n := len(next); n == 0 || next[n-1].Damaged || (n > 1 && next[0].Damaged) != c.damaged || err != nil {
				t.Errorf("got %d units, %v", n, err)
			}
		})
	}
}

// TestPicturesKeepNoPackets checks that what is kept of a small packet is small.
func TestPicturesKeepNoPackets(t *testing.T) {
	packet := make([]byte, 1500)
	for _, c := range []struct {
		payload []byte
		clones  bool
	}{
		{packet[12:14], true},
		{packet[12:1412], false},
	} {
		var n packets
		pkt := &rtp.Packet{Header: rtp.Header{Version: 2}, Payload: c.payload}
		n.begin(pkt, time.Time{})
		if clones := &pkt.Payload[0] != &c.payload[0]; clones != c.clones {
			t.Errorf("payload of %d bytes: cloned %v", len(c.payload), clones)
		}
	}
}
