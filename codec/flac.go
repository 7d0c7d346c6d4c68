package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"nvrfs/codec/flac"
	"nvrfs/media"
	"nvrfs/media/box"
)

// flacCodec is FLAC (RFC 9639) of files. A sample is a frame, as the Encapsulation of FLAC in ISO Base Media File Format has it.
// Cameras do not send it; lpcmCodec makes it.
var flacCodec = &Codec{
	Name: "FLAC", Kind: media.Audio,
	boxes: []string{"fLaC"}, importEntry: importFLAC,
}

const maxEntryRate = 1<<16 - 1 // that the fields of a sample entry have room for

// flacEntry makes the sample entry of FLAC from its first metadata block, STREAMINFO, with header, and those that follow it.
func flacEntry(blocks []byte) (media.SampleEntry, error) {
	info, ok := flac.ParseStreamInfo(blocks)
	if !ok {
		return media.SampleEntry{}, errors.New("its decoder configuration is missing or damaged")
	}
	if info.Rate == 0 {
		return media.SampleEntry{}, errors.New("it has no samples a second")
	}
	fits := info.Rate
	for fits > maxEntryRate {
		fits /= 2 // as the encapsulation says, 3.3.1
	}
	var w writer
	w.Box("fLaC", func() {
		w.audioFields(info.Channels, fits)
		w.FullBox("dfLa", 0, 0, func() { w.Bytes(blocks) })
	})
	binary.BigEndian.PutUint16(w.B[audioVersion+10:], info.Depth)
	return media.SampleEntry{Kind: media.Audio, Codec: "flac", Timescale: info.Rate, Box: w.B}, nil
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
