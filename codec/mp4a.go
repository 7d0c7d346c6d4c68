package codec

import (
	"errors"
	"fmt"

	"nvrfs/media/box"
)

// Tags of descriptors (ISO/IEC 14496-1 7.2.2.1), and object types (7.2.6.6.2).
const (
	esTag              = 3
	decoderConfigTag   = 4
	decoderSpecificTag = 5
	slConfigTag        = 6

	mpeg4AudioType = 0x40
	mpeg2AACTypes  = 0x66 // to 0x68, of three profiles
	mpeg2AudioType = 0x69 // MP3 and the layers before it, at half the rates
	mpeg1AudioType = 0x6b

	visualStream = 4 // 7.2.6.6.2
	audioStream  = 5
)

// esds appends the elementary stream descriptor (ISO/IEC 14496-1 7.2.6.5, ISO/IEC 14496-14 3.1.2).
// It has no decoder specific information where config is nil.
func (w *writer) esds(objectType, streamType uint8, config []byte) {
	w.FullBox("esds", 0, 0, func() {
		w.descriptor(esTag, func() {
			w.U16(0) // ES_ID, 0 in files
			w.U8(0)
			w.descriptor(decoderConfigTag, func() {
				w.U8(objectType)
				w.U8(streamType<<2 | 1)
				w.Zeros(3)   // buffer size: unknown
				w.U32s(0, 0) // greatest and average bit rate: unknown
				if config != nil {
					w.descriptor(decoderSpecificTag, func() { w.Bytes(config) })
				}
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

// readMP4A returns what the esds box of a sample entry mp4a says.
func readMP4A(entry []byte) (objectType uint8, config []byte, err error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return 0, nil, err
	}
	esds := box.Find(boxes, "esds")
	if esds == nil { // QuickTime has it in a box of its own
		wave, _ := box.Children(withoutTerminator(box.Find(boxes, "wave")))
		esds = box.Find(wave, "esds")
	}
	if objectType, config, err = readESDS(esds); err != nil {
		return 0, nil, fmt.Errorf("sample entry mp4a: %w", err)
	}
	return objectType, config, nil
}

// readESDS returns the object type and the decoder specific information in the content of an esds box. What is nil is not there.
func readESDS(p []byte) (objectType uint8, config []byte, err error) {
	missing := errors.New("its decoder configuration is missing or damaged")
	if len(p) < 4 {
		return 0, nil, missing
	}
	es, ok := findDescriptor(p[4:], esTag)
	if !ok || len(es) < 3 {
		return 0, nil, missing
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
	decoder, ok := findDescriptor(es[min(skip, len(es)):], decoderConfigTag)
	if !ok || len(decoder) < 13 {
		return 0, nil, missing
	}
	config, _ = findDescriptor(decoder[13:], decoderSpecificTag)
	return decoder[0], config, nil
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
