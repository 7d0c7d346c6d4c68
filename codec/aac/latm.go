package aac

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pion/rtp"

	"nvrfs/codec/bits"
)

// LATM takes frames of AAC out of LATM (ISO/IEC 14496-3 1.7), which RTP carries by RFC 6416: those of the first layer of the first
// program.
type LATM struct {
	InBand bool       // elements say their configuration, as far as is known
	Mux    *MuxConfig // the configuration; nil while it is not known
	Fresh  bool       // Mux is another than before; for the caller to clear

	sure   bool   // that InBand is right
	part   []byte // of an element whose other packets did not come yet
	moment uint32 // its timestamp
}

// A MuxConfig is a StreamMuxConfig (ISO/IEC 14496-3 1.7.3.1).
type MuxConfig struct {
	ASC []byte // the AudioSpecificConfig of the first layer

	together  bool // allStreamsSameTimeFraming
	subframes int
	layers    []muxLayer // of all programs
	other     int        // bits of other data behind each element
}

// A muxLayer is how frames of a layer tell their size: by a number before them, or not at all where bits is set.
type muxLayer struct{ bits int }

// Frames returns the frames that are whole with a packet.
func (l *LATM) Frames(pkt *rtp.Packet) ([][]byte, error) {
	if pkt.Timestamp != l.moment {
		l.part = nil
	}
	l.moment = pkt.Timestamp
	begins := len(l.part) == 0
	p := append(l.part, pkt.Payload...)
	l.part = nil
	switch {
	case len(p) > MaxFrameBytes:
		return nil, errors.New("an element of LATM is too large")
	case pkt.Marker:
		return l.elements(p)
	case begins: // some cameras never mark the last packet of an element, which is the only one as a rule
		if frames, err := l.elements(p); err == nil {
			return frames, nil
		}
	}
	l.part = p
	return nil, nil
}

// Lost forgets what is not whole, because packets before the next one did not come.
func (l *LATM) Lost() { l.part = nil }

// elements reads one AudioMuxElement or more. It finds out whether they say their configuration: where both can be read of the first
// ones, those are meant that are fewer, because what is misread ends at the end of the packet by chance alone.
func (l *LATM) elements(p []byte) ([][]byte, error) {
	if l.sure {
		return l.elementsBy(p)
	}
	other := *l
	other.InBand = !l.InBand
	frames, err := l.elementsBy(p)
	otherFrames, otherErr := other.elementsBy(p)
	read, otherRead := err == nil && len(frames) > 0, otherErr == nil && len(otherFrames) > 0
	switch {
	case otherRead && (!read || len(otherFrames) < len(frames)):
		*l, frames, err = other, otherFrames, nil
	case !read:
		return frames, err
	}
	l.sure = read != otherRead
	return frames, err
}

func (l *LATM) elementsBy(p []byte) (frames [][]byte, err error) {
	r := bits.NewReader(p)
	for r.Left() > 0 {
		some, err := l.element(r)
		if err != nil {
			return frames, err
		}
		frames = append(frames, some...)
		if r.Align(); bytes.Count(r.Rest(), []byte{0}) == r.Left()/8 {
			break // filled up
		}
	}
	return frames, nil
}

// element reads an AudioMuxElement (ISO/IEC 14496-3 1.7.3.1).
func (l *LATM) element(r *bits.Reader) (frames [][]byte, err error) {
	mux := l.Mux
	if l.InBand && !r.Flag() {
		if mux, err = readMuxConfig(r); err != nil {
			return nil, err
		}
	}
	if mux == nil {
		r.Skip(r.Left())
		return nil, nil // the configuration comes later
	}
	for range mux.subframes {
		frame := mux.subframe(r)
		if r.Short {
			return nil, errors.New("an element of LATM is cut short")
		}
		if len(frame) > 0 {
			frames = append(frames, frame)
		}
	}
	r.Skip(mux.other)
	if r.Short {
		return nil, errors.New("an element of LATM is cut short")
	}
	if l.Mux == nil || !bytes.Equal(l.Mux.ASC, mux.ASC) {
		l.Fresh = true
	}
	l.Mux = mux
	return frames, nil
}

// subframe reads a PayloadLengthInfo and a PayloadMux (ISO/IEC 14496-3 1.7.3.1), and returns what is of the first layer.
func (m *MuxConfig) subframe(r *bits.Reader) (frame []byte) {
	if m.together {
		sizes := make([]int, len(m.layers))
		for i, layer := range m.layers {
			sizes[i] = layer.size(r)
		}
		for i, n := range sizes {
			if part := r.Copy(n); i == 0 {
				frame = part
			}
		}
		return frame
	}
	type chunk struct{ layer, size int }
	var chunks []chunk
	for range r.U(4) + 1 {
		c := chunk{layer: int(r.U(4))}
		if c.layer >= len(m.layers) {
			r.Short = true
			return nil
		}
		layer := m.layers[c.layer]
		c.size = layer.size(r)
		if layer.bits == 0 {
			r.U(1) // the frame ends with it
		}
		chunks = append(chunks, c)
	}
	for _, c := range chunks {
		if part := r.Copy(c.size); c.layer == 0 {
			frame = append(frame, part...)
		}
	}
	return frame
}

// size reads how many bits a frame has.
func (l muxLayer) size(r *bits.Reader) (n int) {
	if l.bits > 0 {
		return l.bits
	}
	for {
		part := r.U(8)
		n += 8 * int(part)
		if part != 255 {
			return n
		}
	}
}

// ParseMuxConfig reads a StreamMuxConfig. One that ends behind the first AudioSpecificConfig is that of frames that tell their
// size, as some cameras describe them.
func ParseMuxConfig(p []byte) (*MuxConfig, error) { return readMuxConfig(bits.NewReader(p)) }

// PlainMuxConfig is the configuration of frames that follow each other, and tell their size.
func PlainMuxConfig(asc []byte) *MuxConfig {
	return &MuxConfig{ASC: asc, together: true, subframes: 1, layers: []muxLayer{{}}}
}

func readMuxConfig(r *bits.Reader) (*MuxConfig, error) {
	version := r.U(1)
	if version == 1 {
		if r.U(1) != 0 {
			return nil, errors.New("LATM of a version that is not known (audioMuxVersionA 1)")
		}
		readValue(r) // taraBufferFullness
	}
	m := &MuxConfig{together: r.Flag(), subframes: int(r.U(6)) + 1}
	for range r.U(4) + 1 {
		for range r.U(3) + 1 {
			if err := m.readLayer(r, version); err != nil {
				return nil, err
			}
			if r.Short {
				return m, nil
			}
		}
	}
	if r.Flag() {
		if version == 1 {
			m.other = readValue(r)
		} else {
			for more := true; more && m.other < 8*MaxFrameBytes; {
				more = r.Flag()
				m.other = m.other<<8 | int(r.U(8))
			}
		}
	}
	if r.Flag() {
		r.U(8) // a CRC
	}
	return m, nil
}

func (m *MuxConfig) readLayer(r *bits.Reader, version uint64) error {
	first := len(m.layers) == 0
	if first || r.U(1) == 0 { // else it has the configuration of the one before
		asc, err := readLayerASC(r, version)
		if err != nil {
			return err
		}
		if first {
			m.ASC = asc
		}
	}
	var layer muxLayer
	switch kind := r.U(3); {
	case r.Short && first:
		m.layers = []muxLayer{{}}
		return nil
	case kind == 0:
		r.U(8) // latmBufferFullness
	case kind == 1:
		layer.bits = 8 * int(r.U(9)+20)
	default:
		return fmt.Errorf("LATM: frames of type %d are not those of AAC", kind)
	}
	m.layers = append(m.layers, layer)
	return nil
}

// readLayerASC reads an AudioSpecificConfig, and returns the bytes of it.
func readLayerASC(r *bits.Reader, version uint64) ([]byte, error) {
	if version == 1 {
		asc := r.Copy(readValue(r))
		if r.Short {
			return nil, fmt.Errorf("StreamMuxConfig: %w", errCutShort)
		}
		return asc, nil
	}
	from := *r
	c, err := readConfig(r)
	if err == nil && c.Object == erELD {
		err = errors.New("AAC-ELD in LATM of version 0 is not supported; set the camera to AAC-LC")
	}
	if err != nil {
		return nil, fmt.Errorf("StreamMuxConfig: %w", err)
	}
	readExtension(r, &c) // GStreamer has it here, where the standard has no room for it; it cannot be taken for what follows
	return from.Copy(r.At() - from.At()), nil
}

// readValue reads a LatmGetValue (ISO/IEC 14496-3 1.7.3.1).
func readValue(r *bits.Reader) int {
	return int(min(r.U(8*int(r.U(2)+1)), 1<<24)) // which is more than there is of anything
}
