package codec

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pion/rtp"
)

// latm takes frames of AAC out of LATM (ISO/IEC 14496-3 1.7), which RTP carries by RFC 6416: those of the first layer of the first
// program.
type latm struct {
	inBand bool // elements say their configuration
	sure   bool // that they do, or do not
	mux    *muxConfig
	fresh  bool // mux is another than before

	part   []byte // of an element whose other packets did not come yet
	moment uint32 // its timestamp
}

// A muxConfig is a StreamMuxConfig (ISO/IEC 14496-3 1.7.3.1).
type muxConfig struct {
	asc       []byte // of the first layer
	together  bool   // allStreamsSameTimeFraming
	subframes int
	layers    []muxLayer // of all programs
	other     int        // bits of other data behind each element
}

// A muxLayer is how frames of a layer tell their size: by a number before them, or not at all where bits is set.
type muxLayer struct{ bits int }

// frames returns the frames that are whole with a packet.
func (l *latm) frames(pkt *rtp.Packet) ([][]byte, error) {
	if pkt.Timestamp != l.moment {
		l.part = nil
	}
	l.moment = pkt.Timestamp
	begins := len(l.part) == 0
	p := append(l.part, pkt.Payload...)
	l.part = nil
	switch {
	case len(p) > maxFrameBytes:
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

func (l *latm) lost() { l.part = nil }

// elements reads one AudioMuxElement or more. It finds out whether they say their configuration: where both can be read of the first
// ones, those are meant that are fewer, because what is misread ends at the end of the packet by chance alone.
func (l *latm) elements(p []byte) ([][]byte, error) {
	if l.sure {
		return l.elementsBy(p)
	}
	other := *l
	other.inBand = !l.inBand
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

func (l *latm) elementsBy(p []byte) (frames [][]byte, err error) {
	r := bitReader{p: p}
	for r.left() > 0 {
		some, err := l.element(&r)
		if err != nil {
			return frames, err
		}
		frames = append(frames, some...)
		if r.align(); bytes.Count(r.p[r.at/8:], []byte{0}) == r.left()/8 {
			break // filled up
		}
	}
	return frames, nil
}

// element reads an AudioMuxElement (ISO/IEC 14496-3 1.7.3.1).
func (l *latm) element(r *bitReader) (frames [][]byte, err error) {
	mux := l.mux
	if l.inBand && !r.flag() {
		if mux, err = readMuxConfig(r); err != nil {
			return nil, err
		}
	}
	if mux == nil {
		r.skip(r.left())
		return nil, nil // the configuration comes later
	}
	for range mux.subframes {
		frame := mux.subframe(r)
		if r.short {
			return nil, errors.New("an element of LATM is cut short")
		}
		if len(frame) > 0 {
			frames = append(frames, frame)
		}
	}
	r.skip(mux.other)
	if r.short {
		return nil, errors.New("an element of LATM is cut short")
	}
	if l.mux == nil || !bytes.Equal(l.mux.asc, mux.asc) {
		l.fresh = true
	}
	l.mux = mux
	return frames, nil
}

// subframe reads a PayloadLengthInfo and a PayloadMux (ISO/IEC 14496-3 1.7.3.1), and returns what is of the first layer.
func (m *muxConfig) subframe(r *bitReader) (frame []byte) {
	if m.together {
		sizes := make([]int, len(m.layers))
		for i, layer := range m.layers {
			sizes[i] = layer.size(r)
		}
		for i, n := range sizes {
			if part := r.copy(n); i == 0 {
				frame = part
			}
		}
		return frame
	}
	type chunk struct{ layer, size int }
	var chunks []chunk
	for range r.u(4) + 1 {
		c := chunk{layer: int(r.u(4))}
		if c.layer >= len(m.layers) {
			r.short = true
			return nil
		}
		layer := m.layers[c.layer]
		c.size = layer.size(r)
		if layer.bits == 0 {
			r.u(1) // the frame ends with it
		}
		chunks = append(chunks, c)
	}
	for _, c := range chunks {
		if part := r.copy(c.size); c.layer == 0 {
			frame = append(frame, part...)
		}
	}
	return frame
}

// size reads how many bits a frame has.
func (l muxLayer) size(r *bitReader) (bits int) {
	if l.bits > 0 {
		return l.bits
	}
	for {
		n := r.u(8)
		bits += 8 * int(n)
		if n != 255 {
			return bits
		}
	}
}

// readMuxConfig reads a StreamMuxConfig. One that ends behind the first AudioSpecificConfig is that of frames that tell their
// size, as some cameras describe them.
func readMuxConfig(r *bitReader) (*muxConfig, error) {
	version := r.u(1)
	if version == 1 {
		if r.u(1) != 0 {
			return nil, errors.New("LATM of a version that is not known (audioMuxVersionA 1)")
		}
		r.latmValue() // taraBufferFullness
	}
	m := &muxConfig{together: r.flag(), subframes: int(r.u(6)) + 1}
	for range r.u(4) + 1 {
		for range r.u(3) + 1 {
			if err := m.readLayer(r, version); err != nil {
				return nil, err
			}
			if r.short {
				return m, nil
			}
		}
	}
	if r.flag() {
		if version == 1 {
			m.other = r.latmValue()
		} else {
			for more := true; more && m.other < 8*maxFrameBytes; {
				more = r.flag()
				m.other = m.other<<8 | int(r.u(8))
			}
		}
	}
	if r.flag() {
		r.u(8) // a CRC
	}
	return m, nil
}

func (m *muxConfig) readLayer(r *bitReader, version uint64) error {
	first := len(m.layers) == 0
	if first || r.u(1) == 0 { // else it has the configuration of the one before
		asc, err := readLayerASC(r, version)
		if err != nil {
			return err
		}
		if first {
			m.asc = asc
		}
	}
	var layer muxLayer
	switch kind := r.u(3); {
	case r.short && first:
		m.layers = []muxLayer{{}}
		return nil
	case kind == 0:
		r.u(8) // latmBufferFullness
	case kind == 1:
		layer.bits = 8 * int(r.u(9)+20)
	default:
		return fmt.Errorf("LATM: frames of type %d are not those of AAC", kind)
	}
	m.layers = append(m.layers, layer)
	return nil
}

// readLayerASC reads an AudioSpecificConfig, and returns the bytes of it.
func readLayerASC(r *bitReader, version uint64) ([]byte, error) {
	if version == 1 {
		asc := r.copy(r.latmValue())
		if r.short {
			return nil, fmt.Errorf("StreamMuxConfig: %w", errCutShort)
		}
		return asc, nil
	}
	from := *r
	c, err := readASC(r)
	if err == nil && c.object == erELD {
		err = errors.New("AAC-ELD in LATM of version 0 is not supported; set the camera to AAC-LC")
	}
	if err != nil {
		return nil, fmt.Errorf("StreamMuxConfig: %w", err)
	}
	r.extension(&c) // GStreamer has it here, where the standard has no room for it; it cannot be taken for what follows
	return from.copy(r.at - from.at), nil
}

// latmValue reads a LatmGetValue (ISO/IEC 14496-3 1.7.3.1).
func (r *bitReader) latmValue() int {
	return int(min(r.u(8*int(r.u(2)+1)), 1<<24)) // which is more than there is of anything
}
