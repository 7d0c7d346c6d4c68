package codec_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// av1File is a file that ffmpeg made, as an encoder's name says.
type av1File struct {
	track   *demux.Track
	samples []media.Sample // with their data
}

func readAV1(t testing.TB, name string) av1File {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := demux.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	x := av1File{track: f.Tracks()[0]}
	for i := range x.track.Len() {
		s := x.track.Sample(i)
		if s.Data, err = x.track.Read(i); err != nil {
			t.Fatal(err)
		}
		x.samples = append(x.samples, s)
	}
	return x
}

// send returns the packets of each sample, as a camera would send them.
func (x *av1File) send(t testing.TB) (packets [][]*rtp.Packet) {
	t.Helper()
	s, err := codec.Send(x.track.Entry, 96)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.samples {
		p, err := s.Packets(x.samples[i].Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, pkt := range p {
			pkt.Timestamp = uint32(x.samples[i].DTS)
		}
		packets = append(packets, p)
	}
	return packets
}

func receiveAV1(t testing.TB, packets [][]*rtp.Packet, lost func(picture, packet int) bool) (samples []media.Sample, r codec.Receiver, errs []error) {
	t.Helper()
	c, r, err := codec.Receive(&format.AV1{PayloadTyp: 96})
	if err != nil || c.Name != "AV1" {
		t.Fatalf("received as %v, %v", c, err)
	}
	take := func(units []codec.Unit) {
		for _, u := range units {
			s, _, err := r.Samples(u, int64(u.Timestamp))
			if err != nil {
				errs = append(errs, err)
			}
			samples = append(samples, s...)
		}
	}
	gap := false
	for i, picture := range packets {
		for k, pkt := range picture {
			if lost != nil && lost(i, k) {
				gap = true
				continue
			}
			if gap {
				r.Lost()
			}
			gap = false
			units, err := r.Packet(pkt, time.Now())
			if err != nil {
				errs = append(errs, err)
			}
			take(units)
		}
	}
	take(r.Flush())
	return samples, r, errs
}

// TestAV1 sends what three encoders made, and receives it byte for byte.
func TestAV1(t *testing.T) {
	for name, want := range map[string]string{
		"av1-aom-8bit.mp4":  "av01.0.00M.08",
		"av1-aom-10bit.mp4": "av01.0.00M.10",
		"av1-svt.mp4":       "av01.0.00M.08",
	} {
		t.Run(name, func(t *testing.T) {
			x := readAV1(t, name)
			samples, r, errs := receiveAV1(t, x.send(t), nil)
			if len(errs) > 0 || len(samples) != len(x.samples) {
				t.Fatalf("%d samples of %d, %v", len(samples), len(x.samples), errs)
			}
			for i := range samples {
				got, want := &samples[i], &x.samples[i]
				if !bytes.Equal(got.Data, want.Data) || got.DTS != want.DTS || got.CTS != 0 || got.Sync != want.Sync {
					t.Errorf("sample %d is another: %d bytes at %d, sync %v; not %d at %d, %v", i, len(got.Data), got.DTS, got.Sync, len(want.Data), want.DTS, want.Sync)
				}
			}
			e := r.Entry()
			if e.Codec != want || e.Width != 192 || e.Height != 128 || e.Kind != media.Video {
				t.Errorf("entry is %s, %dx%d", e.Codec, e.Width, e.Height)
			}
			if x.track.Entry.Codec != want {
				t.Errorf("the file's entry is %s", x.track.Entry.Codec)
			}
			const atConfig = 8 + 78 + 8
			config, file := e.Box[atConfig:], x.track.Entry.Box[atConfig:]
			if !bytes.Equal(config[:4], file[:4]) || !bytes.Contains(x.samples[0].Data, config[4:]) {
				t.Errorf("av1C is %x, not as in %x", config, file)
			}
		})
	}
}

// TestAV1Lost loses packets, and wants only temporal units that are whole, from a key frame on.
func TestAV1Lost(t *testing.T) {
	x := readAV1(t, "av1-aom-8bit.mp4")
	packets := x.send(t)
	if len(packets[0]) < 2 {
		t.Fatal("a key frame in one packet tests little")
	}
	for name, c := range map[string]struct {
		lost func(picture, packet int) bool
		want []int // pictures
	}{
		"the first packet of the first key frame": {func(i, k int) bool { return i == 0 && k == 0 }, []int{6, 7, 8, 9, 10, 11}},
		"the end of the second key frame":         {func(i, k int) bool { return i == 6 && k == len(packets[6])-1 }, []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11}},
		"a whole picture":                         {func(i, _ int) bool { return i == 3 }, []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		t.Run(name, func(t *testing.T) {
			samples, _, _ := receiveAV1(t, packets, c.lost)
			var got []int
			for _, s := range samples {
				i := slices.IndexFunc(x.samples, func(w media.Sample) bool { return bytes.Equal(w.Data, s.Data) })
				if i < 0 || s.Sync != x.samples[i].Sync {
					t.Fatalf("a sample at %d, sync %v, is none of those that were sent", s.DTS, s.Sync)
				}
				got = append(got, i)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("pictures %v, want %v", got, c.want)
			}
		})
	}
}

// TestAV1Marks has a camera mark no packet, and another all of them.
func TestAV1Marks(t *testing.T) {
	x := readAV1(t, "av1-svt.mp4")
	packets := x.send(t)
	for _, p := range packets {
		p[len(p)-1].Marker = false
	}
	if samples, _, errs := receiveAV1(t, packets, nil); len(samples) != len(x.samples) || len(errs) > 0 {
		t.Errorf("%d samples of %d without marks, %v", len(samples), len(x.samples), errs)
	}
}

// TestAV1SequenceHeader has headers that are no good.
func TestAV1SequenceHeader(t *testing.T) {
	x := readAV1(t, "av1-svt.mp4")
	for n := range 30 {
		box := bytes.Clone(x.track.Entry.Box)
		cut := len(box) - n
		if n > 0 {
			if _, err := codec.Import(box[:cut]); err == nil {
				t.Errorf("no error for a box that is %d bytes short", n)
			}
		}
	}
	_, r, err := codec.Receive(&format.AV1{PayloadTyp: 96})
	if err != nil {
		t.Fatal(err)
	}
	unit := codec.Unit{Parts: [][]byte{{0x0a, 1, 0x1f}, {0x32, 1, 0x10}}}
	if samples, _, err := r.Samples(unit, 0); err == nil || len(samples) > 0 || !strings.Contains(err.Error(), "sequence header") {
		t.Errorf("%v, %v", samples, err)
	}
	p, ok := r.(codec.Predictor)
	if !ok {
		t.Fatal("its pictures do not depend on each other")
	}
	if what, do := p.Awaits(); what == "" || do == "" {
		t.Errorf("it awaits %q: %q", what, do)
	}
}

func FuzzAV1(f *testing.F) {
	x := readAV1(f, "av1-svt.mp4")
	for _, p := range x.send(f)[:2] {
		f.Add(p[0].Payload, p[len(p)-1].Payload, true)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, marker bool) {
		samples, _, _ := receiveAV1(t, [][]*rtp.Packet{{
			{Payload: a}, {Header: rtp.Header{Marker: marker}, Payload: b}, {Header: rtp.Header{Marker: true, Timestamp: 5}, Payload: a},
		}}, nil)
		for _, s := range samples {
			if len(s.Data) > 9*(2*len(a)+len(b)) {
				t.Fatalf("%d bytes of %d", len(s.Data), len(a)+len(b))
			}
		}
	})
}
