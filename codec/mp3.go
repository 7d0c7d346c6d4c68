package codec

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/media"
)

// mp3Codec is layer 3 of MPEG-1 and MPEG-2 audio (ISO/IEC 11172-3, 13818-3), and the layers before it, which RTP carries by RFC 2250.
// A sample is a frame.
var mp3Codec = &Codec{
	Name: "MP3", Kind: media.Audio,
	receive: receiveMP3,
	boxes:   []string{".mp3"}, importEntry: importMP3,
}

// An mp3Header is what the header of a frame says (ISO/IEC 11172-3 2.4.1.3).
type mp3Header struct {
	layer    int
	rate     uint32
	channels int
	samples  uint32 // in the frame
	size     int    // bytes of the frame
}

// Bit rates in kbit/s by index (ISO/IEC 11172-3 2.4.2.3, 13818-3 2.4.2.3): of layers 1 to 3, then of those at half the rates.
var mp3BitRates = [2][3][15]int{
	{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	},
	{
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	},
}

// readMP3 reads the header of a frame.
func readMP3(p []byte) (h mp3Header, ok bool) {
	if len(p) < 4 || p[0] != 0xff || p[1]&0xe0 != 0xe0 {
		return h, false
	}
	version, layer, kbits, rate := p[1]>>3&3, 4-int(p[1]>>1&3), p[2]>>4, p[2]>>2&3
	if version == 1 || layer == 4 || kbits == 0 || kbits == 15 || rate == 3 { // free format is one of these
		return h, false
	}
	h = mp3Header{layer: layer, rate: []uint32{44100, 48000, 32000}[rate], channels: 2, samples: 1152}
	low := 0
	if version != 3 {
		low = 1
		h.rate /= 2
	}
	if version == 0 {
		h.rate /= 2
	}
	if p[3]>>6 == 3 {
		h.channels = 1
	}
	padding := int(p[2] >> 1 & 1)
	bits := 1000 * mp3BitRates[low][layer-1][kbits]
	switch {
	case layer == 1:
		h.samples, padding = 384, 4*padding
		h.size = 12*bits/int(h.rate)*4 + padding
		return h, true
	case layer == 3 && low == 1:
		h.samples = 576
	}
	h.size = int(h.samples)/8*bits/int(h.rate) + padding
	return h, true
}

type mp3Receiver struct {
	entry  media.SampleEntry
	header mp3Header
	times  soundTimes

	part   []byte // of a frame whose other packets did not come yet
	moment uint32 // its timestamp
	first  time.Time
}

// mpaRate is the rate of the RTP clock, whatever the sound was sampled with (RFC 3551 4.5.13).
const mpaRate = 90000

func receiveMP3(f format.Format) (Receiver, error) {
	switch f := f.(type) {
	case *format.MPEG1Audio:
	case *format.Generic:
		switch rtpName(f) {
		case "mpa", "mp3":
		case "mpa-robust":
			return nil, errors.New("MP3 by RFC 5219 is not supported; set the camera's sound to AAC or G.711")
		default:
			return nil, nil
		}
	default:
		return nil, nil
	}
	return &mp3Receiver{entry: media.SampleEntry{Kind: media.Audio, Timescale: 48000}}, nil
}

// Packet implements Receiver (RFC 2250 3.5).
func (r *mp3Receiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	if len(pkt.Payload) < 5 {
		return nil, errors.New("a packet of MP3 is too short")
	}
	at, p := int(pkt.Payload[2])<<8|int(pkt.Payload[3]), pkt.Payload[4:]
	switch {
	case at == 0:
		r.part, r.first, r.moment = nil, received, pkt.Timestamp
	case len(r.part) == 0:
		return nil, nil // of a frame whose beginning did not come
	case at != len(r.part) || pkt.Timestamp != r.moment:
		r.part = nil
		return nil, errors.New("parts of a frame of MP3 do not fit each other")
	}
	p = append(r.part, p...)
	r.part = nil
	var frames [][]byte
	for len(p) > 0 {
		h, ok := readMP3(p)
		if !ok {
			return r.unit(frames), errors.New("a frame of MP3 has no header that makes sense")
		}
		if h.size > len(p) {
			r.part = append([]byte(nil), p...)
			break
		}
		frames, p = append(frames, p[:h.size]), p[h.size:]
	}
	return r.unit(frames), nil
}

func (r *mp3Receiver) unit(frames [][]byte) []Unit {
	if len(frames) == 0 {
		return nil
	}
	if r.entry.Box == nil {
		h, _ := readMP3(frames[0])
		r.begin(h)
	}
	return []Unit{{Parts: frames, Timestamp: r.moment, Received: r.first}}
}

func (r *mp3Receiver) begin(h mp3Header) {
	r.header, r.entry, r.times = h, h.entry(), soundTimes{rate: h.rate}
}

// Lost implements Receiver.
func (r *mp3Receiver) Lost() { r.part = nil }

// Flush implements Receiver.
func (r *mp3Receiver) Flush() []Unit { return nil }

// Samples implements Receiver.
func (r *mp3Receiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	newEntry := false
	for _, frame := range u.Parts {
		h, ok := readMP3(frame)
		if !ok {
			return nil, false, errors.New("a frame of MP3 has no header that makes sense")
		}
		if h.layer != r.header.layer || h.rate != r.header.rate || h.channels != r.header.channels {
			newEntry = true
			r.begin(h)
		}
	}
	return r.times.samples(u.Parts, pts, func([]byte) uint32 { return r.header.samples }), newEntry, nil
}

// Entry implements Receiver.
func (r *mp3Receiver) Entry() media.SampleEntry { return r.entry }

// clockRate implements clocked.
func (r *mp3Receiver) clockRate() uint32 { return mpaRate }

// entry makes the mp4a entry of such frames (ISO/IEC 14496-14 5.6).
func (h mp3Header) entry() media.SampleEntry {
	objectType := uint8(mpeg1AudioType)
	if h.rate < 32000 {
		objectType = mpeg2AudioType
	}
	return mp3Entry(objectType, uint16(h.channels), h.rate)
}

func mp3Entry(objectType uint8, channels uint16, rate uint32) media.SampleEntry {
	var w writer
	w.Box("mp4a", func() {
		w.audioFields(channels, rate)
		w.esds(objectType, audioStream, nil)
	})
	return media.SampleEntry{Kind: media.Audio, Codec: fmt.Sprintf("mp4a.%02X", objectType), Timescale: rate, Box: w.B}
}

// importMP3 reads mp4a with an object type of MP3, and QuickTime's own name for it.
func importMP3(entry []byte) (media.SampleEntry, error) {
	s, err := readSound(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	objectType := uint8(mpeg1AudioType)
	if s.typ == "mp4a" {
		if objectType, _, err = readMP4A(entry); err != nil {
			return media.SampleEntry{}, err
		}
	} else if s.rate < 32000 {
		objectType = mpeg2AudioType
	}
	if s.channels < 1 || s.channels > 2 || s.rate < 8000 || s.rate > 48000 {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: %d channels with %d samples a second are not those of MP3", s.typ, s.channels, s.rate)
	}
	return mp3Entry(objectType, uint16(s.channels), s.rate), nil
}
