package demux

import (
	"bytes"
	"fmt"
	"io"
)

// foreign refuses a file that begins like one of another kind, and says what to do about it.
func foreign(r io.ReaderAt, size int64) error {
	start := make([]byte, min(size, 1024))
	n, _ := r.ReadAt(start, 0) //nolint:errcheck // whoever reads the boxes says why it cannot be read
	start = start[:n]
	for _, k := range []struct {
		name string
		is   bool
	}{
		{"Matroska or WebM", bytes.HasPrefix(start, []byte{0x1a, 0x45, 0xdf, 0xa3})},
		{"AVI", bytes.HasPrefix(start, []byte("RIFF")) && len(start) > 12 && string(start[8:11]) == "AVI"},
		{"MPEG transport stream (.ts)", packets(start, 0, 188)},
		{"MPEG transport stream (.m2ts)", packets(start, 4, 192)},
		{"MPEG program stream", bytes.HasPrefix(start, []byte{0, 0, 1, 0xba})},
		{"Dahua's .dav", bytes.HasPrefix(start, []byte("DHAV")) || bytes.HasPrefix(start, []byte("DAHUA"))},
		{"Hikvision's own", bytes.HasPrefix(start, []byte("IMKH")) || bytes.HasPrefix(start, []byte("HKMI"))},
		{"Flash video", bytes.HasPrefix(start, []byte("FLV\x01"))},
		{"ASF or WMV", bytes.HasPrefix(start, []byte{0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11})},
		{"bare H.264 or H.265", bytes.HasPrefix(start, []byte{0, 0, 0, 1}) && len(start) > 4 && start[4] != 0},
	} {
		if k.is {
			return fmt.Errorf("the file is not mp4 but %s; copy what is in it without encoding it anew, with: ffmpeg -i IN -c copy OUT.mp4", k.name)
		}
	}
	return nil
}

// packets reports whether MPEG packets of some size begin at a place: each has 0x47 first (ISO/IEC 13818-1 2.4.3.2).
func packets(p []byte, at, size int) bool {
	n := 0
	for ; at < len(p); at += size {
		if p[at] != 0x47 {
			return false
		}
		n++
	}
	return n > 2
}
