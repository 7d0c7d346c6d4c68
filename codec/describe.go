package codec

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"nvrfs/codec/nal"
	"nvrfs/media"
)

// Words says what a track is, for people: "H.264 High, level 4.1", "AAC, 16000 Hz, mono".
func Words(e media.SampleEntry) string {
	typ := boxType(e.Box)
	words := strings.TrimRight(typ, " ")
	for _, c := range registry {
		for _, t := range c.boxes {
			if t == typ {
				words = c.Name
			}
		}
	}
	switch {
	case typ == "alaw":
		words = "G.711 A-law"
	case typ == "ulaw":
		words = "G.711 mu-law"
	case e.Codec == "mp4a.6B", e.Codec == "mp4a.69": // object types of MPEG-1 and MPEG-2 audio
		words = "MP3"
	}
	if e.Kind == media.Video {
		return words + profileWords(e.Codec)
	}
	words += fmt.Sprintf(", %d Hz", e.Timescale)
	if len(e.Box) > audioBoxes {
		switch n := binary.BigEndian.Uint16(e.Box[audioVersion+8:]); n {
		case 1:
			words += ", mono"
		case 2:
			words += ", stereo"
		default:
			words += fmt.Sprintf(", %d channels", n)
		}
	}
	return words
}

// BoxType returns the type of a sample entry: "avc1".
func BoxType(e media.SampleEntry) string { return boxType(e.Box) }

var (
	avcProfiles  = map[uint64]string{66: " Baseline", 77: " Main", 88: " Extended", 100: " High", 110: " High 10", 122: " High 4:2:2", 244: " High 4:4:4"}
	hevcProfiles = map[string]string{"1": " Main", "2": " Main 10", "3": " Main Still Picture", "4": " range extensions"}
)

// profileWords says what a codecs parameter (RFC 6381) has of profile and level, and nothing where it has none.
func profileWords(codecs string) string {
	parts := strings.Split(codecs, ".")
	switch {
	case strings.HasPrefix(codecs, "avc") && len(parts) == 2 && len(parts[1]) == 6:
		x, err := strconv.ParseUint(parts[1], 16, 32)
		if err != nil {
			return ""
		}
		profile, level := avcProfiles[x>>16], x&0xff
		if x>>16 == 66 && x>>14&1 == 1 {
			profile = " Constrained Baseline"
		}
		return fmt.Sprintf("%s, level %d.%d", profile, level/10, level%10)
	case (parts[0] == "hvc1" || parts[0] == "hev1") && len(parts) >= 4:
		level, err := strconv.Atoi(strings.TrimLeft(parts[3], "LH"))
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%s, level %d.%d", hevcProfiles[parts[1]], level/30, level%30/3)
	}
	return ""
}

// Advice says what may be better set at a camera than this codec, and is empty where nothing is.
func Advice(e media.SampleEntry) string {
	switch boxType(e.Box) {
	case "hvc1", "hev1":
		return "H.265 plays in every player, but in browsers only where the system decodes it; set H.264, here or for the sub stream, if you watch in a browser"
	case "mp4v":
		return "Motion JPEG takes many times the space of H.264 for the same picture; set H.264 or H.265 where the camera has it"
	}
	return ""
}

// SyncWords says of which kind a sync sample of video is: "IDR", "CRA", "recovery point". It is empty where the codec has one kind.
func SyncWords(e media.SampleEntry, data []byte) string {
	units, err := nal.SplitSample(data, 4)
	if err != nil {
		return ""
	}
	switch boxType(e.Box) {
	case "avc1", "avc3":
		for _, n := range units {
			if n[0]&0x1f == 5 {
				return "IDR"
			}
		}
		return "recovery point"
	case "hvc1", "hev1":
		for _, n := range units {
			switch typ := n[0] >> 1 & 0x3f; {
			case typ == 19 || typ == 20:
				return "IDR"
			case typ == 21:
				return "CRA"
			case typ >= 16 && typ <= 18:
				return "BLA"
			}
		}
	}
	return ""
}
