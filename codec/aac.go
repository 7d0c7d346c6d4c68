package codec

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"nvrfs/codec/aac"
	"nvrfs/media"
)

// aacCodec is AAC (ISO/IEC 14496-3) and what builds on it, which RTP carries by RFC 3640, or as LATM by RFC 6416. A sample is a raw
// frame, without ADTS or LATM.
var aacCodec = &Codec{
	Name: "AAC", Kind: media.Audio,
	receive: receiveAAC,
	boxes:   []string{"mp4a"}, importEntry: importAAC,
	send: sendAAC,
}

// The encoding names by RFC 3640 and by RFC 6416, in small letters.
const (
	genericAAC = "mpeg4-generic"
	latmAAC    = "mp4a-latm"
)

// aacReceiver makes samples of frames.
type aacReceiver struct {
	frames    func(*rtp.Packet) ([][]byte, error)
	forget    func() // what came of a frame that is not whole
	assembly  assembly
	latm      *aac.LATM // nil for RFC 3640
	config    aac.Config
	entry     media.SampleEntry
	times     soundTimes
	described uint32 // how many ticks a second the clock has, as the camera says; 0 where it does not

	clock clockFinder
	held  []Unit // until the clock is known

	changed *aac.Config // of the unit with the timestamp next, and those behind it
	next    uint32
}

func receiveAAC(f format.Format) (Receiver, error) {
	var name, rtpmap string
	switch f := f.(type) {
	case *format.MPEG4Audio:
		name, rtpmap = genericAAC, f.RTPMap()
	case *format.MPEG4AudioLATM:
		name, rtpmap = latmAAC, f.RTPMap()
	case *format.Generic:
		name, rtpmap = rtpName(f), f.RTPMa
	}
	if name != genericAAC && name != latmAAC {
		return nil, nil
	}
	r := new(aacReceiver)
	if parts := strings.Split(rtpmap, "/"); len(parts) > 1 {
		if clock, err := strconv.ParseUint(strings.TrimSpace(parts[1]), 10, 31); err == nil && clock > 0 {
			r.described = uint32(clock)
		}
	}
	fmtp := f.FMTP()
	config, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(strings.Trim(fmtp["config"], ` "'`)), "0x"))
	if err != nil {
		return nil, fmt.Errorf("its configuration (config=%.40s) is not hexadecimal", fmtp["config"])
	}
	if name == latmAAC {
		return r, r.receiveLATM(fmtp, config)
	}
	return r, r.receiveGeneric(fmtp, config)
}

// receiveGeneric takes what RFC 3640 4.1 has parameters for.
func (r *aacReceiver) receiveGeneric(fmtp map[string]string, config []byte) error {
	if len(config) == 0 {
		return errors.New("config is missing, without which its AAC cannot be decoded; set its sound to G.711 or Opus")
	}
	d := &aac.Depacketizer{Size: 13, Index: 3, Delta: 3} // AAC-hbr
	if mode := strings.ToLower(fmtp["mode"]); strings.HasSuffix(mode, "lbr") {
		d.Size, d.Index, d.Delta = 6, 2, 2
	}
	_, sized := fmtp["sizelength"]
	if sized || fmtp["constantsize"] != "" {
		d.Size, d.Index, d.Delta = 0, 0, 0
	}
	for name, to := range map[string]*int{
		"sizelength": &d.Size, "indexlength": &d.Index, "indexdeltalength": &d.Delta, "ctsdeltalength": &d.CTS,
		"dtsdeltalength": &d.DTS, "streamstateindication": &d.State, "auxiliarydatasizelength": &d.Auxiliary, "constantsize": &d.Constant,
	} {
		value, ok := fmtp[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
		switch {
		case err != nil:
			return fmt.Errorf("its parameter %s=%.20s is no number", name, value)
		case to != &d.Constant && n > aac.MaxFieldBits:
			return fmt.Errorf("a field of its AU headers is said to have %d bits, of %d at most", n, aac.MaxFieldBits)
		}
		*to = int(n)
	}
	d.Random = fmtp["randomaccessindication"] == "1"
	if d.Size == 0 && d.Constant == 0 {
		return errors.New("the camera does not say in how many bits the sizes of its AAC frames are (sizelength)")
	}
	r.frames, r.forget = d.Frames, d.Lost
	c, err := aac.ParseConfig(config)
	if err != nil {
		return err
	}
	return r.begin(c)
}

// receiveLATM takes what RFC 6416 7.3 has parameters for. Some cameras say that the configuration is in the stream where it is not,
// or say in its place what RFC 3640 has there.
func (r *aacReceiver) receiveLATM(fmtp map[string]string, config []byte) error {
	r.latm = &aac.LATM{InBand: fmtp["cpresent"] == "1" || len(config) == 0}
	r.frames, r.forget = r.latm.Frames, r.latm.Lost
	r.entry = media.SampleEntry{Kind: media.Audio, Timescale: 48000}
	if len(config) == 0 {
		return nil
	}
	mux, err := aac.ParseMuxConfig(config)
	if err == nil {
		var c aac.Config
		if c, err = aac.ParseConfig(mux.ASC); err == nil {
			r.latm.Mux = mux
			return r.begin(c)
		}
	}
	c, err2 := aac.ParseConfig(config)
	if err2 != nil {
		return err
	}
	r.latm.Mux = aac.PlainMuxConfig(config)
	return r.begin(c)
}

// begin takes another configuration.
func (r *aacReceiver) begin(c aac.Config) error {
	entry, err := aacEntry(c)
	if err != nil {
		return err
	}
	if r.entry.Timescale != entry.Timescale || r.entry.Box == nil {
		r.times = soundTimes{rate: entry.Timescale}
	}
	if r.entry.Box == nil {
		r.clock = newClockFinder(c, r.described)
	}
	r.config, r.entry = c, entry
	return nil
}

// Packet implements Receiver.
func (r *aacReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	units, err := r.assembly.decode(pkt, received, func(pkt *rtp.Packet) ([][]byte, error) {
		frames, err := r.frames(pkt)
		if len(frames) == 0 && err == nil {
			err = errMore
		}
		return frames, err
	})
	if r.latm != nil && r.latm.Fresh {
		r.latm.Fresh = false
		if err := r.configure(pkt.Timestamp); err != nil {
			return nil, err
		}
	}
	if len(units) == 0 || r.clock.found != 0 {
		return units, err
	}
	r.clock.look(units[0])
	if r.held = append(r.held, units...); r.clock.found == 0 {
		return nil, err
	}
	return r.Flush(), err
}

// configure takes the configuration that an element of LATM says.
func (r *aacReceiver) configure(timestamp uint32) error {
	c, err := aac.ParseConfig(r.latm.Mux.ASC)
	if err != nil {
		r.latm.Mux = nil // until it says another
		return err
	}
	if r.entry.Box == nil {
		return r.begin(c)
	}
	if string(c.Bytes) != string(r.config.Bytes) {
		r.changed, r.next = &c, timestamp
	}
	return nil
}

// Lost implements Receiver. The next packet shows where a frame begins.
func (r *aacReceiver) Lost() {
	r.forget()
	r.assembly.packets = 0
	r.clock.lost()
}

// Flush implements Receiver.
func (r *aacReceiver) Flush() []Unit {
	units := r.held
	r.held = nil
	return units
}

// Samples implements Receiver.
func (r *aacReceiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	newEntry := r.changed != nil && u.Timestamp == r.next
	if newEntry {
		c := *r.changed
		r.changed = nil
		if err := r.begin(c); err != nil {
			return nil, false, err
		}
	}
	lasts := r.config.Frame * (r.entry.Timescale / r.config.Rate)
	return r.times.samples(u.Parts, pts, func([]byte) uint32 { return lasts }), newEntry, nil
}

// Entry implements Receiver.
func (r *aacReceiver) Entry() media.SampleEntry { return r.entry }

// clockRate implements clocked.
func (r *aacReceiver) clockRate() uint32 { return r.clock.rate() }

// maxASCBytes keeps every length in esds below 128, where one byte holds it.
const maxASCBytes = 64

// AACEntry makes the mp4a entry (ISO/IEC 14496-14 5.6) of AAC from its AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), which is stored
// as given. The samples of the track are raw AAC frames, without ADTS or LATM. Where SBR doubles the rate, and the configuration
// says so, the Timescale is the doubled one.
//
// It fails when the configuration is cut short or is one that a track of AAC frames cannot carry: an object type that is no AAC,
// channels that only the stream describes, or a sampling rate of 0.
func AACEntry(asc []byte) (media.SampleEntry, error) {
	c, err := aac.ParseConfig(asc)
	if err != nil {
		return media.SampleEntry{}, err
	}
	return aacEntry(c)
}

func aacEntry(c aac.Config) (media.SampleEntry, error) {
	if len(c.Bytes) > maxASCBytes {
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %d bytes, the most is %d", len(c.Bytes), maxASCBytes)
	}
	e := media.SampleEntry{Kind: media.Audio, Codec: fmt.Sprintf("mp4a.40.%d", c.Object), Timescale: c.Rate}
	channels := c.Channels
	switch {
	case c.PS:
		e.Codec, channels = fmt.Sprintf("mp4a.40.%d", aac.PS), 2
	case c.Output != c.Rate:
		e.Codec = fmt.Sprintf("mp4a.40.%d", aac.SBR)
	}
	if c.Output%c.Rate == 0 {
		e.Timescale = c.Output
	}
	var w writer
	w.Box("mp4a", func() {
		w.audioFields(uint16(channels), c.Rate)
		w.esds(mpeg4AudioType, audioStream, c.Bytes)
	})
	e.Box = w.B
	return e, nil
}

func importAAC(entry []byte) (media.SampleEntry, error) {
	objectType, config, err := readMP4A(entry)
	switch {
	case err != nil:
		return media.SampleEntry{}, err
	case objectType == mpeg1AudioType || objectType == mpeg2AudioType:
		return importMP3(entry)
	case objectType != mpeg4AudioType && (objectType < mpeg2AACTypes || objectType > mpeg2AACTypes+2):
		return media.SampleEntry{}, fmt.Errorf("sample entry mp4a: object type %#x is not AAC", objectType)
	case config == nil:
		return media.SampleEntry{}, errors.New("sample entry mp4a: its decoder configuration is missing or damaged")
	}
	return AACEntry(config)
}

// sendAAC sends one frame a packet, in the AAC-hbr mode of RFC 3640 3.3.6.
func sendAAC(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	objectType, asc, err := readMP4A(e.Box)
	if err != nil {
		return nil, err
	}
	if objectType != mpeg4AudioType {
		return nil, fmt.Errorf("samples of the object type %#x cannot be sent", objectType)
	}
	var config mpeg4audio.AudioSpecificConfig
	if err := config.Unmarshal(asc); err != nil {
		return nil, err
	}
	f := &format.MPEG4Audio{PayloadTyp: payloadType, Config: &config, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	encoder, err := f.CreateEncoder()
	if err != nil {
		return nil, err
	}
	return &Sender{f, func(sample []byte) ([]*rtp.Packet, error) { return encoder.Encode([][]byte{sample}) }}, nil
}
