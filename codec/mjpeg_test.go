package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/color"
	imagejpeg "image/jpeg"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/jpeg"
	"nvrfs/media"
)

// A jpegPicture is a picture as a camera has it: the segments and the scan of its file.
type jpegPicture struct {
	width, height int
	tables        []byte // quantisation tables, without their headers
	scan          []byte
}

// takeJPEG encodes a picture of a size, whose top left corner is of a grey.
func takeJPEG(t testing.TB, width, height int, grey uint8, quality int) (file []byte, x jpegPicture) {
	t.Helper()
	picture := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for i := range picture.Y {
		picture.Y[i] = grey + uint8(i%7)
	}
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = 128, 128
	}
	var b bytes.Buffer
	if err := imagejpeg.Encode(&b, picture, &imagejpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	file = b.Bytes()
	dqt := jpeg.Segments(file[2:])[jpeg.DQT]
	scan := file[bytes.Index(file, []byte{0xff, jpeg.SOS})+14:]
	return file, jpegPicture{width, height, append(bytes.Clone(dqt[5:69]), dqt[70:134]...), scan}
}

// packets cuts a picture into packets (RFC 2435 3.1). With a quantisation of 128 and more, its tables are in the first.
func (x *jpegPicture) packets(typ, q uint8, tables []byte, timestamp uint32) (packets []*rtp.Packet) {
	for at := 0; at < len(x.scan); at += 100 {
		p := binary.BigEndian.AppendUint32(nil, uint32(at))
		p = append(p, typ, q, byte(x.width/8), byte(x.height/8))
		if typ&jpeg.Restarts != 0 {
			p = append(p, 0, 4, 0xff, 0xff)
		}
		if at == 0 && q >= 128 {
			p = append(append(p, 0, 0, byte(len(tables)>>8), byte(len(tables))), tables...)
		}
		end := min(len(x.scan), at+100)
		packets = append(packets, &rtp.Packet{
			Header:  rtp.Header{Version: 2, Marker: end == len(x.scan), Timestamp: timestamp},
			Payload: append(p, x.scan[at:end]...),
		})
	}
	return packets
}

// receivePictures has a receiver take packets, and returns the samples and the errors.
func receivePictures(r Receiver, packets []*rtp.Packet) (samples []media.Sample, errs []error) {
	for i, pkt := range packets {
		units, err := r.Packet(pkt, time.Unix(int64(i), 0))
		if err != nil {
			errs = append(errs, err)
		}
		for _, u := range units {
			s, _, err := r.Samples(u, int64(u.Timestamp))
			if err != nil {
				errs = append(errs, err)
			}
			samples = append(samples, s...)
		}
	}
	return samples, errs
}

// TestMJPEG receives pictures in every form that RFC 2435 has, and compares what is shown with what was taken.
func TestMJPEG(t *testing.T) {
	const own = 200 // a quantisation whose tables come in packets
	for name, c := range map[string]struct {
		typ, q  uint8
		quality int
		again   bool // the tables come only with the first picture
	}{
		"tables by quality":         {1, 60, 60, false},
		"tables of the lowest":      {1, 1, 1, false},
		"tables of their own":       {1, own, 33, false},
		"tables that came before":   {1, own, 33, true},
		"tables that always change": {1, 255, 33, false},
		"restart markers":           {65, own, 33, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, err := Receive(&format.MJPEG{})
			if err != nil || r.Entry().Box != nil {
				t.Fatalf("entry %v, %v", r.Entry(), err)
			}
			for i, width := range []int{640, 640, 320} {
				file, x := takeJPEG(t, width, 240, uint8(50*i), c.quality)
				tables := x.tables
				if c.again && i > 0 {
					tables = nil
				}
				samples, errs := receivePictures(r, x.packets(c.typ, c.q, tables, uint32(i*3600)))
				if len(samples) != 1 || len(errs) > 0 {
					t.Fatalf("picture %d: %d samples, %v", i, len(samples), errs)
				}
				s := samples[0]
				if s.DTS != int64(i)*3600 || s.CTS != 0 || s.Duration != 3600 || !s.Sync {
					t.Errorf("picture %d is %+v", i, s)
				}
				if e := r.Entry(); int(e.Width) != width || e.Height != 240 || e.Kind != media.Video {
					t.Errorf("picture %d: entry is %+v", i, e)
				}
				if c.typ&jpeg.Restarts != 0 {
					if !bytes.Contains(s.Data, []byte{0xff, jpeg.DRI, 0, 4, 0, 4}) {
						t.Error("its file does not say that there are restart markers")
					}
					continue // the encoder made none
				}
				sameJPEG(t, s.Data, file)
			}
		})
	}
	if _, r, _ := Receive(&format.MJPEG{}); r != nil {
		if _, ok := r.(Predictor); ok {
			t.Error("its pictures are said to depend on each other")
		}
	}
	esds := "00000023 65736473 00000000 0315000000 040d 6c 11 000000 00000000 00000000 060102"
	if got := hex.EncodeToString(mjpegEntry(64, 48).Box[visualBoxes:]); got != strings.ReplaceAll(esds, " ", "") {
		t.Errorf("esds is %s", got)
	}
}

// sameJPEG compares what two files show.
func sameJPEG(t *testing.T, got, want []byte) {
	t.Helper()
	a, err := imagejpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	b, err := imagejpeg.Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	x, y := a.(*image.YCbCr), b.(*image.YCbCr)
	if x.Bounds() != y.Bounds() || !bytes.Equal(x.Y, y.Y) || !bytes.Equal(x.Cb, y.Cb) || !bytes.Equal(x.Cr, y.Cr) {
		t.Errorf("it shows another picture: %v, not %v; corner %v, not %v", x.Bounds(), y.Bounds(), x.At(0, 0).(color.YCbCr), y.At(0, 0).(color.YCbCr))
	}
}

// TestMJPEGDamaged leaves packets out, and marks.
func TestMJPEGDamaged(t *testing.T) {
	_, x := takeJPEG(t, 640, 240, 9, 50)
	for name, c := range map[string]struct {
		change func(p [][]*rtp.Packet) []*rtp.Packet
		want   int // of 3 pictures
		errs   bool
	}{
		"no marks": {func(p [][]*rtp.Packet) []*rtp.Packet {
			for i := range p {
				p[i][len(p[i])-1].Marker = false
			}
			return joinPackets(p)
		}, 2, false}, // the last one waits for another
		"a packet in the middle lost": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1] = append(p[1][:1], p[1][2:]...)
			return joinPackets(p)
		}, 2, true},
		"the first packet lost": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1] = p[1][1:]
			return joinPackets(p)
		}, 2, false},
		"the first packet, of a picture behind one without its end": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[0], p[1] = p[0][:2], p[1][2:]
			return joinPackets(p)
		}, 1, true},
		"a reserved quantisation": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1][0].Payload[5] = 110
			return joinPackets(p)
		}, 2, true},
		"another type": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1][0].Payload[4] = 3
			return joinPackets(p)
		}, 2, true},
		"too large to say how large": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1][0].Payload[6] = 0
			return joinPackets(p)
		}, 2, true},
		"a header that is cut short": {func(p [][]*rtp.Packet) []*rtp.Packet {
			p[1][0].Payload = p[1][0].Payload[:7]
			return joinPackets(p)
		}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			var p [][]*rtp.Packet
			for i := range 3 {
				p = append(p, x.packets(1, 50, nil, uint32(i)*3600))
			}
			samples, errs := receivePictures(new(mjpegReceiver), c.change(p))
			if len(samples) != c.want || len(errs) > 0 != c.errs {
				t.Errorf("%d samples, errors %v", len(samples), errs)
			}
		})
	}
	r := new(mjpegReceiver)
	p := x.packets(1, 50, nil, 0)
	_, _ = receivePictures(r, p[:1])
	r.Lost()
	if samples, _ := receivePictures(r, p[1:]); len(samples) != 0 {
		t.Error("a picture of which packets were lost is stored")
	}
	if samples, errs := receivePictures(r, x.packets(1, 200, nil, 0)); len(samples) != 0 || len(errs) == 0 {
		t.Errorf("tables that never came: %d samples, %v", len(samples), errs)
	}
}

func joinPackets(p [][]*rtp.Packet) (all []*rtp.Packet) {
	for _, x := range p {
		all = append(all, x...)
	}
	return all
}

// TestMJPEGExtension receives a picture whose size stands in the extension of the RTP header, since it is wider than RFC 2435 can say.
func TestMJPEGExtension(t *testing.T) {
	file, x := takeJPEG(t, 2560, 16, 77, 50)
	x.width = 0
	packets := x.packets(1, 50, nil, 0)
	sof := jpeg.Segments(file[2:])[jpeg.SOF0]
	for len(sof)%4 != 0 {
		sof = append(sof, 0xff)
	}
	packets[0].Extension, packets[0].ExtensionProfile = true, 0xffd8
	if err := packets[0].SetExtension(0, sof); err != nil {
		t.Fatal(err)
	}
	samples, errs := receivePictures(new(mjpegReceiver), packets)
	if len(samples) != 1 || len(errs) > 0 {
		t.Fatalf("%d samples, %v", len(samples), errs)
	}
	sameJPEG(t, samples[0].Data, file)
}

// TestMJPEGWholeFile receives what some cameras send: a JPEG file where the scan alone should be.
func TestMJPEGWholeFile(t *testing.T) {
	file, x := takeJPEG(t, 320, 240, 77, 50)
	x.scan = file
	samples, _ := receivePictures(new(mjpegReceiver), x.packets(1, 50, nil, 0))
	if len(samples) != 1 || !bytes.Equal(samples[0].Data, file) {
		t.Errorf("%d samples", len(samples))
	}
}

// TestMJPEGTimes has pictures whose times stand still, or step back.
func TestMJPEGTimes(t *testing.T) {
	file, _ := takeJPEG(t, 320, 240, 77, 50)
	r := new(mjpegReceiver)
	last := int64(-1)
	for _, pts := range []int64{0, 0, 3600, 3500, 7200} {
		s, _, err := r.Samples(Unit{Parts: [][]byte{file}}, pts)
		if err != nil || s[0].DTS <= last {
			t.Fatalf("at %d: %v, %v", pts, s, err)
		}
		last = s[0].DTS
	}
	if last != 7200 {
		t.Errorf("the last one is at %d", last)
	}
}

// TestMJPEGOfFiles imports the entries of mp4 and QuickTime, and sends pictures.
func TestMJPEGOfFiles(t *testing.T) {
	for _, typ := range []string{"jpeg", "mjpa"} {
		var w writer
		w.Box(typ, func() { w.visualFields(640, 480) })
		e, err := Import(w.B)
		if err != nil || !bytes.Equal(e.Box, mjpegEntry(640, 480).Box) {
			t.Errorf("%s: %+v, %v", typ, e, err)
		}
	}
	e := mjpegEntry(640, 480)
	if again, err := Import(e.Box); err != nil || !bytes.Equal(again.Box, e.Box) {
		t.Errorf("ours: %+v, %v", again, err)
	}
	other := bytes.Clone(e.Box)
	other[bytes.Index(other, []byte{jpegObjectType, 4<<2 | 1})] = 0x20 // MPEG-4 part 2
	if _, err := Import(other); err == nil {
		t.Error("another codec is taken for Motion JPEG")
	}
	file, _ := takeJPEG(t, 640, 480, 30, 75)
	s, err := Send(e, 26)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := s.Packets(file)
	if err != nil {
		t.Fatal(err)
	}
	samples, errs := receivePictures(new(mjpegReceiver), packets)
	if len(samples) != 1 || len(errs) > 0 {
		t.Fatalf("%d samples, %v", len(samples), errs)
	}
	sameJPEG(t, samples[0].Data, file)
}

func FuzzMJPEG(f *testing.F) {
	_, x := takeJPEG(f, 64, 16, 9, 50)
	for _, p := range x.packets(1, 50, nil, 0) {
		f.Add(p.Payload, p.Payload, true)
	}
	p := x.packets(65, 200, x.tables, 0)
	f.Add(p[0].Payload, p[len(p)-1].Payload, false)
	f.Fuzz(func(t *testing.T, a, b []byte, marker bool) {
		r := new(mjpegReceiver)
		samples, _ := receivePictures(r, []*rtp.Packet{
			{Payload: a}, {Header: rtp.Header{Marker: marker}, Payload: b}, {Header: rtp.Header{Marker: true, Timestamp: 5}, Payload: a},
		})
		for _, s := range samples {
			if len(s.Data) > 2*(len(a)+len(b))+2048 {
				t.Fatalf("%d bytes of %d", len(s.Data), len(a)+len(b))
			}
		}
	})
}
