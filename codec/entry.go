package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"nvrfs/media"
	"nvrfs/media/box"
)

// maxEntryBytes is far more than a sample entry takes.
const maxEntryBytes = 1 << 16

// Where in a VisualSampleEntry (ISO/IEC 14496-12 12.1.3) or an AudioSampleEntry (12.2.3) something stands.
const (
	entryDataRef = 8 + 6
	visualSize   = 8 + 24
	visualBoxes  = 8 + 78
	audioVersion = 8 + 8
	audioBoxes   = 8 + 28
)

// writer appends sample entries to B.
type writer struct{ box.Writer }

// visualFields appends what every VisualSampleEntry starts with.
func (w *writer) visualFields(width, height uint16) {
	w.Zeros(6)
	w.U16(1) // data_reference_index
	w.Zeros(16)
	w.U16(width)
	w.U16(height)
	w.U32s(0x480000, 0x480000) // 72 dpi
	w.U32(0)
	w.U16(1)    // frame_count
	w.Zeros(32) // compressorname
	w.U16(0x18) // depth: colour without alpha
	w.U16(0xffff)
}

// audioFields appends what every AudioSampleEntry starts with.
func (w *writer) audioFields(channels uint16, rate uint32) {
	w.Zeros(6)
	w.U16(1) // data_reference_index
	w.Zeros(8)
	w.U16(channels)
	w.U16(16) // samplesize
	w.Zeros(4)
	if rate > math.MaxUint16 { // 16.16 has no room for it: readers take it from the codec's own box
		rate = 0
	}
	w.U32(rate << 16)
}

// colr appends a colour description (ISO/IEC 14496-12 12.1.5).
func (w *writer) colr(primaries, transfer, matrix uint16, fullRange bool) {
	w.Box("colr", func() {
		w.Str("nclx")
		w.U16(primaries)
		w.U16(transfer)
		w.U16(matrix)
		if fullRange {
			w.U8(0x80)
		} else {
			w.U8(0)
		}
	})
}

// sampleAspectRatios is indexed by aspect_ratio_idc (ITU-T H.264 Table E-1, H.265 Table E.1); 0 is unspecified.
var sampleAspectRatios = [...][2]uint16{
	{},
	{1, 1},
	{12, 11},
	{10, 11},
	{16, 11},
	{40, 33},
	{24, 11},
	{20, 11},
	{32, 11},
	{80, 33},
	{18, 11},
	{15, 11},
	{64, 33},
	{160, 99},
	{4, 3},
	{3, 2},
	{2, 1},
}

const extendedSAR = 255 // the aspect_ratio_idc of a ratio that is spelled out

// pasp appends the shape of the pixels, where it is known (ISO/IEC 14496-12 12.1.4).
func (w *writer) pasp(idc uint8, extended [2]uint16) {
	var sar [2]uint16
	switch {
	case idc == extendedSAR:
		sar = extended
	case int(idc) < len(sampleAspectRatios):
		sar = sampleAspectRatios[idc]
	}
	if sar[0] == 0 || sar[1] == 0 {
		return
	}
	w.Box("pasp", func() { w.U32s(uint32(sar[0]), uint32(sar[1])) })
}

// copyVisual makes a sample entry from a VisualSampleEntry of another file. What the box says is kept, but for the number of
// the data reference. name returns the codecs parameter (RFC 6381) that the boxes in it say, and false where these do not say
// what a decoder must know.
func copyVisual(entry []byte, name func(typ string, boxes []box.Child) (codec string, ok bool)) (media.SampleEntry, error) {
	h, ok := box.ParseHeader(entry)
	if !ok || h.Head != 8 || h.Size != int64(len(entry)) || len(entry) < visualBoxes || len(entry) > maxEntryBytes {
		return media.SampleEntry{}, errors.New("sample entry: it is not one whole box of a picture's")
	}
	e := media.SampleEntry{
		Kind: media.Video, Timescale: media.VideoTimescale,
		Width:  binary.BigEndian.Uint16(entry[visualSize:]),
		Height: binary.BigEndian.Uint16(entry[visualSize+2:]),
	}
	if e.Width == 0 || e.Height == 0 {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: a picture of %dx%d pixels", h.Type, e.Width, e.Height)
	}
	inside := withoutTerminator(entry[visualBoxes:])
	boxes, ok := box.Children(inside)
	if !ok {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: the boxes in it do not fill it", h.Type)
	}
	if e.Codec, ok = name(h.Type, boxes); !ok {
		return media.SampleEntry{}, fmt.Errorf("sample entry %s: its decoder configuration is missing or damaged", h.Type)
	}
	var w writer
	w.Box(h.Type, func() {
		w.Bytes(entry[8:visualBoxes])
		w.Bytes(inside)
	})
	binary.BigEndian.PutUint16(w.B[entryDataRef:], 1) // the only one that our files have
	e.Box = w.B
	return e, nil
}

// visualConfig returns the content of a box in a VisualSampleEntry of ours, or nil.
func visualConfig(e media.SampleEntry, typ string) []byte {
	if len(e.Box) < visualBoxes {
		return nil
	}
	boxes, _ := box.Children(e.Box[visualBoxes:])
	return box.Find(boxes, typ)
}

// audioChildren returns the boxes in an AudioSampleEntry. QuickTime has two later versions, which have more fields before them
// (QuickTime File Format, Sound Sample Descriptions).
func audioChildren(entry []byte) ([]box.Child, error) {
	h, ok := box.ParseHeader(entry)
	if !ok || h.Head != 8 || h.Size != int64(len(entry)) || len(entry) < audioBoxes || len(entry) > maxEntryBytes {
		return nil, errors.New("sample entry: it is not one whole box of a sound's")
	}
	at := audioBoxes
	if boxes, ok := box.Children(withoutTerminator(entry[at:])); ok {
		return boxes, nil
	}
	switch binary.BigEndian.Uint16(entry[audioVersion:]) {
	case 1:
		at += 16
	case 2:
		at += 36
	}
	boxes, ok := box.Children(withoutTerminator(entry[min(at, len(entry)):]))
	if !ok {
		return nil, fmt.Errorf("sample entry %s: the boxes in it do not fill it", h.Type)
	}
	return boxes, nil
}

// A soundEntry is what an AudioSampleEntry says besides the boxes in it.
type soundEntry struct {
	typ      string
	channels int
	rate     uint32 // samples a second
	bits     int    // of a value, where the type does not tell
	flags    uint32 // of QuickTime's version 2, how values are stored
	boxes    []box.Child
}

// readSound reads an AudioSampleEntry, or QuickTime's version 1 or 2 of it.
func readSound(entry []byte) (soundEntry, error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return soundEntry{}, err
	}
	s := soundEntry{
		typ:      boxType(entry),
		channels: int(binary.BigEndian.Uint16(entry[audioVersion+8:])),
		bits:     int(binary.BigEndian.Uint16(entry[audioVersion+10:])),
		rate:     binary.BigEndian.Uint32(entry[audioVersion+16:]) >> 16,
		boxes:    boxes,
	}
	if binary.BigEndian.Uint16(entry[audioVersion:]) == 2 && len(entry) >= audioBoxes+36 {
		more := entry[audioBoxes:] // sizeOfStructOnly, audioSampleRate, numAudioChannels, always7F000000, constBitsPerChannel, formatSpecificFlags, …
		rate := math.Float64frombits(binary.BigEndian.Uint64(more[4:]))
		if !(rate >= 1 && rate <= math.MaxUint32) || rate != math.Trunc(rate) {
			return soundEntry{}, fmt.Errorf("sample entry %s: %v samples a second", s.typ, rate)
		}
		s.rate = uint32(rate)
		s.channels = int(min(binary.BigEndian.Uint32(more[12:]), math.MaxUint16))
		s.bits = int(min(binary.BigEndian.Uint32(more[20:]), math.MaxUint16))
		s.flags = binary.BigEndian.Uint32(more[24:])
	}
	return s, nil
}

// withoutTerminator leaves out the zeros with which QuickTime ends a list of boxes.
func withoutTerminator(p []byte) []byte {
	if n := len(p) - 4; n >= 0 && binary.BigEndian.Uint32(p[n:]) == 0 {
		if _, whole := box.Children(p); !whole {
			return p[:n]
		}
	}
	return p
}
