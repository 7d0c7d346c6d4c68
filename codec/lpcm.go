package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"nvrfs/codec/flac"
	"nvrfs/media"
	"nvrfs/media/box"
)

// lpcmCodec is sound that is not compressed, L8, L16 and L24 (RFC 3551 4.5.10, 4.5.11, RFC 3190 4), and G.711 of more than one
// channel. It is stored as FLAC, which loses nothing: players agree on no form of it in an mp4 file that is smaller.
var lpcmCodec = &Codec{
	Name: "L16", Kind: media.Audio,
	receive:   receiveLPCM,
	boxes:     []string{"sowt", "twos", "raw ", "in24", "lpcm", "ipcm"},
	transcode: transcodePCM,
}

// A pcm is how values are stored, those of all channels at a moment side by side.
type pcm struct {
	channels int
	bytes    int // of a value
	rate     uint32
	little   bool        // the lowest byte is the first
	offset   bool        // 0 is the least value
	table    *[256]int16 // of values by one byte
}

// depth is how many bits a value has in FLAC: those of 8 bits are stored as 16, of which no player fails.
func (p *pcm) depth() int { return 8 * max(p.bytes, 2) }

// frame is how many bytes a moment takes.
func (p *pcm) frame() int { return p.bytes * p.channels }

// values reads whole moments.
func (p *pcm) values(data []byte, to []int32) []int32 {
	for ; len(data) >= p.bytes; data = data[p.bytes:] {
		var v int32
		switch {
		case p.table != nil:
			v = int32(p.table[data[0]])
		case p.bytes == 1 && p.offset:
			v = int32(int8(data[0]-128)) << 8
		case p.bytes == 1:
			v = int32(int8(data[0])) << 8
		case p.bytes == 2 && p.little:
			v = int32(int16(binary.LittleEndian.Uint16(data)))
		case p.bytes == 2:
			v = int32(int16(binary.BigEndian.Uint16(data)))
		case p.little:
			v = int32(data[0])<<8 | int32(data[1])<<16 | int32(data[2])<<24
			v >>= 8
		default:
			v = int32(data[0])<<24 | int32(data[1])<<16 | int32(data[2])<<8
			v >>= 8
		}
		to = append(to, v)
	}
	return to
}

// check returns what FLAC or a sample entry has no room for.
func (p *pcm) check() error {
	switch {
	case p.channels < 1 || p.channels > flac.MaxChannels:
		return fmt.Errorf("it has %d channels; 1 to %d are supported", p.channels, flac.MaxChannels)
	case p.rate < 1000 || p.rate > 192000:
		return fmt.Errorf("it has %d samples a second; 1,000 to 192,000 are supported", p.rate)
	}
	return nil
}

type lpcmReceiver struct {
	pcm
	entry   media.SampleEntry
	encoder *flac.Encoder
	values  []int32
	times   soundTimes
	gaps    soundGaps

	pending Unit // packets that do not last long enough yet
	moments int  // in pending

	law   lawFinder // of G.711
	heard int       // moments until now, as long as it is looked whether the bytes are what they are called
}

func receiveLPCM(f format.Format) (Receiver, error) {
	r := new(lpcmReceiver)
	switch f := f.(type) {
	case *format.LPCM:
		r.pcm = pcm{channels: f.ChannelCount, bytes: f.BitDepth / 8, rate: rateOf(f.SampleRate), offset: f.BitDepth == 8}
	case *format.G711:
		r.pcm = pcm{channels: f.ChannelCount, bytes: 1, rate: rateOf(f.SampleRate), table: &aLawValues}
		if f.MULaw {
			r.table = &muLawValues
		}
	default:
		return nil, nil
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.encoder = flac.NewEncoder(r.channels, r.depth(), r.rate)
	r.times.rate = r.rate
	var err error
	r.entry, err = flacEntry(r.encoder.StreamInfo())
	return r, err
}

// rateOf is a rate that a session description says; one that is out of range becomes 0, which check refuses.
func rateOf(rate int) uint32 {
	if rate < 0 || rate > flac.MaxRate {
		return 0
	}
	return uint32(rate)
}

// Packet implements Receiver. It gathers a tenth of a second, unless there is a gap.
func (r *lpcmReceiver) Packet(pkt *rtp.Packet, received time.Time) (units []Unit, err error) {
	n := len(pkt.Payload) / r.frame()
	if n == 0 {
		return nil, nil
	}
	late := int64(int32(pkt.Timestamp - r.pending.Timestamp - uint32(r.moments)))
	if r.moments > 0 && (r.gaps.lost || max(late, -late) >= int64(r.rate)/jitter || r.moments+n > flac.MaxBlock) {
		units = r.Flush()
	}
	if r.moments == 0 {
		r.gaps.begin(pkt.Timestamp)
		r.pending = Unit{Timestamp: pkt.Timestamp, Received: received}
	}
	r.pending.Parts = append(r.pending.Parts, bytes.Clone(pkt.Payload[:n*r.frame()]))
	if r.moments += n; r.moments >= int(r.rate)/jitter {
		units = append(units, r.Flush()...)
	}
	return units, nil
}

// Lost implements Receiver.
func (r *lpcmReceiver) Lost() { r.gaps.lost = true }

// Flush implements Receiver.
func (r *lpcmReceiver) Flush() []Unit {
	if r.moments == 0 {
		return nil
	}
	r.moments = 0
	return []Unit{r.pending}
}

// Samples implements Receiver.
func (r *lpcmReceiver) Samples(u Unit, pts int64) ([]media.Sample, bool, error) {
	data := bytes.Join(u.Parts, nil)
	n := len(data) / r.frame()
	if n == 0 || n > flac.MaxBlock {
		return nil, false, fmt.Errorf("%d samples of sound at once", n)
	}
	if r.heard < mostLooked*int(r.rate) {
		r.heard += n
		r.look(data)
	}
	r.values = r.pcm.values(data, r.values[:0])
	dts := r.times.follow(pts, int64(n), r.gaps.before(u))
	return []media.Sample{{DTS: dts, Duration: uint32(n), Sync: true, Data: r.encoder.Frame(r.values)}}, false, nil
}

// Entry implements Receiver.
func (r *lpcmReceiver) Entry() media.SampleEntry { return r.entry }

// look finds out whether the bytes are what the camera calls them, since some call mu-law A-law, or send the lowest byte first.
func (r *lpcmReceiver) look(data []byte) {
	switch {
	case r.table != nil && r.law.found == "":
		r.law.look(data)
		switch r.law.found {
		case aLaw:
			r.table = &aLawValues
		case muLaw:
			r.table = &muLawValues
		}
	case r.bytes == 2:
		const farApart = 4
		other := r.pcm
		other.little = !r.little
		if len(data) >= leastLooked*r.frame() && r.unforeseen(data) > farApart*other.unforeseen(data) {
			r.little = other.little
		}
	}
}

// unforeseen returns the part of the energy of the first channel that does not follow from what was before.
func (p *pcm) unforeseen(data []byte) float64 {
	var c correlation
	var value [1]int32
	for ; len(data) >= p.frame(); data = data[p.frame():] {
		c.add(float64(p.values(data[:p.bytes], value[:0])[0]))
	}
	return c.unforeseen()
}

// A Transcoder makes samples of the uncompressed sound of an mp4 file, without a loss.
type Transcoder struct {
	// Entry is the sample entry of what it makes. A tick of its Timescale is a moment of the file.
	Entry media.SampleEntry
	// Moment is how many bytes a moment takes: a value of each channel.
	Moment int
	// Most is how many moments a sample may have. A tenth of a second is a good number of them.
	Most int

	pcm     pcm
	encoder *flac.Encoder
}

// Sample makes a sample of whole moments that follow those of the call before.
func (t *Transcoder) Sample(moments []byte) ([]byte, error) {
	n := len(moments) / t.Moment
	if n*t.Moment != len(moments) || n == 0 || n > t.Most {
		return nil, fmt.Errorf("%d bytes of sound at once, of %d for each moment, of which there may be %d", len(moments), t.Moment, t.Most)
	}
	return t.encoder.Frame(t.pcm.values(moments, nil)), nil
}

// formatFlags of QuickTime's version 2 (CoreAudioTypes, AudioFormatFlags).
const (
	floatFlag  = 1
	bigFlag    = 2
	signedFlag = 4
)

// transcodePCM reads the sample entries of QuickTime (QuickTime File Format, Sound Sample Descriptions), that of ISO/IEC 23003-5,
// and those of G.711.
func transcodePCM(entry []byte) (*Transcoder, error) {
	s, err := readSound(entry)
	if err != nil {
		return nil, err
	}
	p, err := readPCM(s)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, fmt.Errorf("sample entry %s: %w", s.typ, err)
	}
	t := &Transcoder{Moment: p.frame(), Most: flac.MaxBlock, pcm: p, encoder: flac.NewEncoder(p.channels, p.depth(), p.rate)}
	t.Entry, err = flacEntry(t.encoder.StreamInfo())
	return t, err
}

func readPCM(s soundEntry) (pcm, error) {
	p := pcm{channels: s.channels, bytes: s.bits / 8, rate: s.rate}
	fits := s.bits%8 == 0
	switch s.typ {
	case aLaw:
		p.bytes, p.table, fits = 1, &aLawValues, true
	case muLaw:
		p.bytes, p.table, fits = 1, &muLawValues, true
	case "raw ":
		p.offset = s.bits == 8
	case "sowt":
		p.little = true
	case "in24":
		p.bytes, fits = 3, true
		wave, _ := box.Children(withoutTerminator(box.Find(s.boxes, "wave")))
		enda := box.Find(wave, "enda")
		p.little = len(enda) == 2 && enda[1] == 1
	case "lpcm":
		p.little, p.offset = s.flags&bigFlag == 0, s.flags&signedFlag == 0
		if s.flags&floatFlag != 0 {
			return p, errors.New("its values are fractions, which are not supported")
		}
	case "ipcm":
		c := box.Find(s.boxes, "pcmC")
		if len(c) != 6 {
			return p, errors.New("its configuration is missing or damaged")
		}
		p.little, p.bytes, fits = c[4]&1 != 0, int(c[5]/8), c[5]%8 == 0
	}
	if !fits || p.bytes < 1 || p.bytes > 3 || p.offset && p.bytes > 1 {
		return p, fmt.Errorf("values of %d bits are not supported", s.bits)
	}
	return p, nil
}
