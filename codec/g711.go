package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/g711"
	"nvrfs/media"
)

// g711Codec is G.711 (ITU-T G.711) of one channel, which RTP carries by RFC 3551 4.5.14. A sample is what one packet holds, and each
// byte of it is a tick. Sound of more channels is turned into FLAC, because then a byte is only a part of a tick; see lpcmCodec.
var g711Codec = &Codec{
	Name: "G.711", Kind: media.RawAudio,
	receive: receiveG711,
	boxes:   []string{g711.ALaw, g711.MuLaw}, importEntry: importG711, transcode: transcodePCM,
	send: sendG711,
}

// mostLooked is for how many seconds the law is looked for.
const mostLooked = 10

type g711Receiver struct {
	entry media.SampleEntry
	law   g711.LawFinder
	begun bool
	held  []Unit // until it begins
	gaps  soundGaps
	times soundTimes
	fresh bool // the entry is another than before
}

func receiveG711(f format.Format) (Receiver, error) {
	g, ok := f.(*format.G711)
	if !ok || g.ChannelCount != 1 {
		return nil, nil
	}
	if g.SampleRate < 1000 || g.SampleRate > math.MaxUint16 {
		return nil, fmt.Errorf("it has %d samples a second; 1,000 to 65,535 are supported; set the camera's sound to 8,000", g.SampleRate)
	}
	law := g711.ALaw
	if g.MULaw {
		law = g711.MuLaw
	}
	rate := uint32(g.SampleRate)
	r := &g711Receiver{entry: g711Entry(law, rate), times: soundTimes{rate: rate}}
	return r, nil
}

// Packet implements Receiver. It keeps the first packets, for half a second at most, until their bytes tell by which law they
// are: some cameras describe one and send the other, which is a loud noise.
func (r *g711Receiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	if len(pkt.Payload) == 0 {
		return nil, nil
	}
	r.gaps.begin(pkt.Timestamp)
	u := Unit{Parts: [][]byte{pkt.Payload}, Timestamp: pkt.Timestamp, Received: received}
	if r.law.Found == "" && r.law.Total < mostLooked*int(r.times.rate) {
		r.law.Look(pkt.Payload)
		if found := r.law.Found; found != "" && found != r.entry.Codec {
			r.entry, r.fresh = g711Entry(found, r.times.rate), true
		}
	}
	if r.begun {
		return []Unit{u}, nil
	}
	u.Parts[0] = bytes.Clone(pkt.Payload)
	r.held = append(r.held, u)
	if r.law.Found == "" && r.law.Total < int(r.times.rate)/2 {
		return nil, nil
	}
	r.begun = true
	return r.Flush(), nil
}

// Lost implements Receiver.
func (r *g711Receiver) Lost() { r.gaps.lost = true }

// Flush implements Receiver.
func (r *g711Receiver) Flush() []Unit {
	units := r.held
	r.held = nil
	return units
}

// Samples implements Receiver.
func (r *g711Receiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	data := bytes.Join(u.Parts, nil)
	dts := r.times.follow(pts, int64(len(data)), r.gaps.before(u))
	newEntry := r.fresh
	r.fresh = false
	return []media.Sample{{DTS: dts, Duration: uint32(len(data)), Sync: true, Data: data}}, newEntry, nil
}

// Entry implements Receiver.
func (r *g711Receiver) Entry() media.SampleEntry { return r.entry }

// g711Entry makes the sample entry of a law (QuickTime File Format, Sound Sample Description version 0). Its samplesize is that
// of what a decoder makes of a byte.
func g711Entry(law string, rate uint32) media.SampleEntry {
	var w writer
	w.Box(law, func() { w.audioFields(1, rate) })
	return media.SampleEntry{Kind: media.RawAudio, Codec: law, Timescale: rate, Box: w.B}
}

func importG711(entry []byte) (media.SampleEntry, error) {
	d, err := readSound(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	switch {
	case d.channels != 1:
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: it has %d channels; only mono is stored as it is", d.typ, d.channels)
	case d.rate == 0 || d.rate > math.MaxUint16:
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: %d samples a second", d.typ, d.rate)
	}
	return g711Entry(d.typ, d.rate), nil
}

// sendG711 sends a sample in one packet.
func sendG711(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	d, err := readSound(e.Box)
	if err != nil {
		return nil, err
	}
	if d.channels != 1 || d.rate == 0 {
		return nil, errors.New("G.711 of other than one channel cannot be sent")
	}
	f := &format.G711{PayloadTyp: payloadType, MULaw: d.typ == g711.MuLaw, SampleRate: int(d.rate), ChannelCount: 1}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, encoder.Encode}, nil
}
