package codec

import (
	"bytes"
	"encoding/binary"
	"testing"

	"nvrfs/codec/flac"
	"nvrfs/media"
)

func TestImportFLAC(t *testing.T) {
	ours, err := flacEntry(flac.NewEncoder(2, 24, 96000).StreamInfo())
	if err != nil || ours.Timescale != 96000 || ours.Codec != "flac" || ours.Kind != media.Audio {
		t.Fatalf("the entry is %+v, %v", ours, err)
	}
	if rate := binary.BigEndian.Uint32(ours.Box[audioVersion+16:]); rate != 48000<<16 {
		t.Errorf("its rate is %#x", rate)
	}
	again, err := Import(ours.Box)
	if err != nil || !bytes.Equal(again.Box, ours.Box) {
		t.Errorf("its import is %+v, %v", again, err)
	}
	config := ours.Box[audioBoxes+8+4:]
	for name, c := range map[string][]byte{
		"none":          nil,
		"cut short":     config[:len(config)-1],
		"another block": append([]byte{0x84}, config[1:]...),
		"no rate":       append(bytes.Clone(config[:14]), make([]byte, 24)...),
	} {
		var w writer
		w.Box("fLaC", func() {
			w.audioFields(2, 48000)
			w.FullBox("dfLa", 0, 0, func() { w.Bytes(c) })
		})
		if _, err := Import(w.B); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
