package codec

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpfragmented"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"nvrfs/media"
	"nvrfs/media/box"
)

// aacCodec is AAC-LC (ISO/IEC 14496-3), which RTP carries by RFC 3640, or as LATM by RFC 6416. A sample is a raw frame, without
// ADTS or LATM.
var aacCodec = &Codec{
	Name: "AAC", Kind: media.Audio,
	receive: receiveAAC,
	boxes:   []string{"mp4a"}, importEntry: importAAC,
	send: sendAAC,
}

// aacReceiver makes samples of frames.
type aacReceiver struct {
	decode     func(*rtp.Packet) ([][]byte, error)
	assembly   assembly
	entry      media.SampleEntry
	frameTicks uint32 // how long a frame lasts
	times      soundTimes
}

// maxAUHeaderBits is the longest that sizelength, indexlength and indexdeltalength (RFC 3640 4.1) may be: a length of more
// bits overflows in the depacketizer. Cameras have 13 bits and 3.
const maxAUHeaderBits = 31

func receiveAAC(f format.Format) (Receiver, error) {
	var config *mpeg4audio.AudioSpecificConfig
	var decode func(*rtp.Packet) ([][]byte, error)
	switch f := f.(type) {
	case *format.MPEG4Audio:
		if n := max(f.SizeLength, f.IndexLength, f.IndexDeltaLength); n > maxAUHeaderBits {
			return nil, fmt.Errorf("a field of its AU headers is said to have %d bits, of %d at most", n, maxAUHeaderBits)
		}
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		config, decode = f.Config, d.Decode
	case *format.MPEG4AudioLATM:
		layer, ok := onlyLayer(f)
		if !ok {
			return nil, errors.New("of LATM, only one layer of AAC with a plain configuration in the session description is supported")
		}
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		config = layer.AudioSpecificConfig
		decode = func(pkt *rtp.Packet) ([][]byte, error) { return decodeLATM(d, f.StreamMuxConfig, pkt) }
	default:
		return nil, nil
	}
	asc, err := config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	return newAACReceiver(asc, decode)
}

// newAACReceiver takes an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1).
func newAACReceiver(asc []byte, decode func(*rtp.Packet) ([][]byte, error)) (Receiver, error) {
	entry, err := AACEntry(asc)
	if err != nil {
		return nil, err
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(asc); err != nil {
		return nil, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	r := &aacReceiver{decode: decode, entry: entry, frameTicks: 1024, times: soundTimes{rate: entry.Timescale}} // 4.5.2.1
	if c.FrameLengthFlag {
		r.frameTicks = 960
	}
	return r, nil
}

// onlyLayer returns the one layer of a LATM stream whose frames tell their length.
func onlyLayer(f *format.MPEG4AudioLATM) (*mpeg4audio.StreamMuxConfigLayer, bool) {
	if f.CPresent || len(f.StreamMuxConfig.Programs) != 1 || len(f.StreamMuxConfig.Programs[0].Layers) != 1 {
		return nil, false
	}
	layer := f.StreamMuxConfig.Programs[0].Layers[0]
	return layer, layer.FrameLengthType == 0
}

// decodeLATM takes the AAC frames out of AudioMuxElements (ISO/IEC 14496-3 1.7.3).
func decodeLATM(d *rtpfragmented.Decoder, config *mpeg4audio.StreamMuxConfig, pkt *rtp.Packet) ([][]byte, error) {
	buf, err := d.Decode(pkt)
	if err != nil {
		return nil, err
	}
	element := mpeg4audio.AudioMuxElement{StreamMuxConfig: config}
	if err := element.Unmarshal(buf); err != nil {
		return nil, fmt.Errorf("LATM: %w", err)
	}
	var frames [][]byte
	for _, subframe := range element.Payloads {
		frames = append(frames, subframe[0][0])
	}
	return frames, nil
}

// Packet implements Receiver.
func (r *aacReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]Unit, error) {
	return r.assembly.decode(pkt, received, func(pkt *rtp.Packet) ([][]byte, error) {
		frames, err := r.decode(pkt)
		if errors.Is(err, rtpmpeg4audio.ErrMorePacketsNeeded) || errors.Is(err, rtpfragmented.ErrMorePacketsNeeded) {
			return nil, errMore
		}
		return frames, err
	})
}

// Lost implements Receiver. The next packet shows where a frame begins.
func (r *aacReceiver) Lost() {}

// Flush implements Receiver.
func (r *aacReceiver) Flush() []Unit { return nil }

// Samples implements Receiver.
func (r *aacReceiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	samples, err := r.times.samples(u.Parts, pts, func([]byte) uint32 { return r.frameTicks })
	return samples, false, err
}

// Entry implements Receiver.
func (r *aacReceiver) Entry() media.SampleEntry { return r.entry }

// maxASCBytes keeps every length in esds below 128, where one byte holds it.
const maxASCBytes = 64

// AACEntry makes the mp4a entry (ISO/IEC 14496-14 5.6) of an AAC-LC stream from its AudioSpecificConfig (ISO/IEC 14496-3
// 1.6.2.1), which is stored as given. The samples of the track are raw AAC frames, without ADTS or LATM.
//
// It fails when the configuration is cut short or is one that a track of AAC frames cannot carry: another object type than
// AAC-LC, signalled SBR or PS, channels that only the stream describes, or a sampling rate of 0.
func AACEntry(asc []byte) (media.SampleEntry, error) {
	if len(asc) > maxASCBytes {
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %d bytes, the most is %d", len(asc), maxASCBytes)
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(asc); err != nil {
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %w", err)
	}
	switch {
	case c.ExtensionType != 0:
		// Its RTP clock may count at either of two rates, and the session description does not tell which.
		return media.SampleEntry{}, errors.New("AudioSpecificConfig: HE-AAC is not supported; set the camera to AAC-LC")
	case c.ChannelConfig == 0:
		return media.SampleEntry{}, errors.New("AudioSpecificConfig: a channel layout described in the stream is not supported")
	case c.SampleRate < 1 || c.SampleRate > 192000:
		return media.SampleEntry{}, fmt.Errorf("AudioSpecificConfig: %d samples a second are out of range", c.SampleRate)
	}
	channels := uint16(c.ChannelConfig)
	if channels == 7 {
		channels = 8
	}

	var w writer
	w.Box("mp4a", func() {
		w.audioFields(channels, uint32(c.SampleRate))
		w.esds(asc)
	})
	return media.SampleEntry{
		Kind:      media.Audio,
		Codec:     fmt.Sprintf("mp4a.40.%d", c.Type),
		Timescale: uint32(c.SampleRate),
		Box:       w.B,
	}, nil
}

// Tags of descriptors (ISO/IEC 14496-1 7.2.2.1), and the object type of MPEG-4 audio (7.2.6.6.2).
const (
	esTag              = 3
	decoderConfigTag   = 4
	decoderSpecificTag = 5
	slConfigTag        = 6

	mpeg4AudioType = 0x40
)

// esds appends the elementary stream descriptor (ISO/IEC 14496-1 7.2.6.5, ISO/IEC 14496-14 3.1.2).
func (w *writer) esds(asc []byte) {
	w.FullBox("esds", 0, 0, func() {
		w.descriptor(esTag, func() {
			w.U16(0) // ES_ID, 0 in files
			w.U8(0)
			w.descriptor(decoderConfigTag, func() {
				w.U8(mpeg4AudioType)
				w.U8(5<<2 | 1) // an audio stream
				w.Zeros(3)     // buffer size: unknown
				w.U32s(0, 0)   // greatest and average bit rate: unknown
				w.descriptor(decoderSpecificTag, func() { w.Bytes(asc) })
			})
			w.descriptor(slConfigTag, func() { w.U8(2) }) // the predefined one for mp4 files
		})
	})
}

// descriptor appends a descriptor (ISO/IEC 14496-1 8.3.3) whose body takes less than 128 bytes.
func (w *writer) descriptor(tag uint8, body func()) {
	w.U8(tag)
	at := len(w.B)
	w.U8(0)
	body()
	w.B[at] = uint8(len(w.B) - at - 1)
}

func importAAC(entry []byte) (media.SampleEntry, error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	esds := box.Find(boxes, "esds")
	if esds == nil { // QuickTime has it in a box of its own
		wave, _ := box.Children(withoutTerminator(box.Find(boxes, "wave")))
		esds = box.Find(wave, "esds")
	}
	asc, err := readESDS(esds)
	if err != nil {
		return media.SampleEntry{}, fmt.Errorf("sample entry mp4a: %w", err)
	}
	return AACEntry(asc)
}

// readESDS returns the AudioSpecificConfig in the content of an esds box.
func readESDS(p []byte) (asc []byte, err error) {
	config, ok := esdsConfig(p)
	if !ok {
		return nil, errESDS
	}
	if config[0] != mpeg4AudioType {
		return nil, fmt.Errorf("object type %#x is not AAC", config[0])
	}
	if asc, ok = findDescriptor(config[decoderConfigBytes:], decoderSpecificTag); !ok {
		return nil, errESDS
	}
	return asc, nil
}

var errESDS = errors.New("its decoder configuration is missing or damaged")

// decoderConfigBytes is how many bytes of a decoder configuration stand before the descriptors in it.
const decoderConfigBytes = 13

// esdsConfig returns the decoder configuration in the content of an esds box, which begins with the object type.
func esdsConfig(p []byte) (config []byte, ok bool) {
	if len(p) < 4 {
		return nil, false
	}
	es, ok := findDescriptor(p[4:], esTag)
	if !ok || len(es) < 3 {
		return nil, false
	}
	flags, es := es[2], es[3:]
	skip := 0
	if flags&0x80 != 0 {
		skip += 2 // dependsOn_ES_ID
	}
	if flags&0x40 != 0 && len(es) > skip {
		skip += 1 + int(es[skip]) // URL
	}
	if flags&0x20 != 0 {
		skip += 2 // OCR_ES_Id
	}
	config, ok = findDescriptor(es[min(skip, len(es)):], decoderConfigTag)
	return config, ok && len(config) >= decoderConfigBytes
}

// findDescriptor returns the body of the first descriptor with a tag (ISO/IEC 14496-1 8.3.3).
func findDescriptor(p []byte, tag uint8) (body []byte, ok bool) {
	for len(p) > 1 {
		t, n := p[0], 0
		p = p[1:]
		for range 4 {
			if len(p) == 0 {
				return nil, false
			}
			b := p[0]
			n, p = n<<7|int(b&0x7f), p[1:]
			if b&0x80 == 0 {
				break
			}
		}
		if n > len(p) {
			return nil, false
		}
		if t == tag {
			return p[:n], true
		}
		p = p[n:]
	}
	return nil, false
}

// sendAAC sends one frame a packet, in the AAC-hbr mode of RFC 3640 3.3.6.
func sendAAC(e media.SampleEntry, payloadType uint8) (*Sender, error) {
	boxes, err := audioChildren(e.Box)
	if err != nil {
		return nil, err
	}
	asc, err := readESDS(box.Find(boxes, "esds"))
	if err != nil {
		return nil, err
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
