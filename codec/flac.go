package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"nvrfs/media"
	"nvrfs/media/box"
)

// flacCodec is FLAC (RFC 9639) of files. A sample is a frame, as the Encapsulation of FLAC in ISO Base Media File Format has it.
// Cameras do not send it; lpcmCodec makes it.
var flacCodec = &Codec{
	Name: "FLAC", Kind: media.Audio,
	boxes: []string{"fLaC"}, importEntry: importFLAC,
}

const (
	streamInfoBytes = 34        // RFC 9639 8.2
	streamInfoHead  = 4         // the header of a metadata block, 8.1
	maxEntryRate    = 1<<16 - 1 // that the fields of a sample entry have room for
	maxFLACRate     = 1<<20 - 1 // 8.2
)

// flacEntry makes the sample entry of FLAC from its first metadata block, STREAMINFO, with header, and those that follow it.
func flacEntry(blocks []byte) (media.SampleEntry, error) {
	if len(blocks) < streamInfoHead+streamInfoBytes || blocks[0]&0x7f != 0 || blocks[3] != streamInfoBytes {
		return media.SampleEntry{}, errors.New("its decoder configuration is missing or damaged")
	}
	packed := binary.BigEndian.Uint64(blocks[streamInfoHead+10:])
	rate, channels, depth := uint32(packed>>44), uint16(packed>>41&7+1), packed>>36&31+1
	if rate == 0 {
		return media.SampleEntry{}, errors.New("it has no samples a second")
	}
	fits := rate
	for fits > maxEntryRate {
		fits /= 2 // as the encapsulation says, 3.3.1
	}
	var w writer
	w.Box("fLaC", func() {
		w.audioFields(channels, fits)
		w.FullBox("dfLa", 0, 0, func() { w.Bytes(blocks) })
	})
	binary.BigEndian.PutUint16(w.B[audioVersion+10:], uint16(depth))
	return media.SampleEntry{Kind: media.Audio, Codec: "flac", Timescale: rate, Box: w.B}, nil
}

func importFLAC(entry []byte) (media.SampleEntry, error) {
	boxes, err := audioChildren(entry)
	if err != nil {
		return media.SampleEntry{}, err
	}
	c := box.Find(boxes, "dfLa")
	if len(c) < 4 || c[0] != 0 {
		return media.SampleEntry{}, errors.New("sample entry fLaC: its decoder configuration is missing or damaged")
	}
	e, err := flacEntry(c[4:])
	if err != nil {
		return media.SampleEntry{}, fmt.Errorf("sample entry fLaC: %w", err)
	}
	return e, nil
}
