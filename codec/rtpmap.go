package codec

import (
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
)

// otherNames are names that cameras give to formats in place of the registered ones (RFC 4855), without dots, dashes and
// underscores.
var otherNames = map[string]string{
	"H264": "H264", "AVC": "H264", "AVC1": "H264", "X264": "H264",
	"H265": "H265", "HEVC": "H265", "HVC1": "H265", "HEV1": "H265", "X265": "H265",
	"AV01": "AV1", "MJPEG": "JPEG", "MJPG": "JPEG",
	"MPEG4GENERIC": "mpeg4-generic", "AAC": "mpeg4-generic", "AACHBR": "mpeg4-generic", "MP4ALATM": "MP4A-LATM",
	"PCMALAW": "PCMA", "ALAW": "PCMA", "G711A": "PCMA", "G711ALAW": "PCMA",
	"PCMULAW": "PCMU", "PCMMULAW": "PCMU", "ULAW": "PCMU", "MULAW": "PCMU", "G711U": "PCMU", "G711ULAW": "PCMU", "G711MU": "PCMU",
}

// saysName has parameters of the format (fmtp) that only one format has, for cameras that do not name it. The first that is there
// counts.
var saysName = []struct{ parameter, name string }{
	{"sprop-vps", "H265"},
	{"sprop-sps", "H265"},
	{"sprop-parameter-sets", "H264"},
	{"packetization-mode", "H264"},
	{"cpresent", "MP4A-LATM"},
	{"sizelength", "mpeg4-generic"},
}

// RTPMap returns what a camera should have written as the rtpmap attribute (RFC 8866 6.6) of a format, behind the payload type:
// name/clock rate/channels. rtpmap is what it wrote there, if anything, and has reports whether the format has a parameter. The
// result is empty where the payload type alone says it (RFC 3551 6).
func RTPMap(video bool, rtpmap string, has func(parameter string) bool) string {
	parts := strings.Split(strings.Join(strings.Fields(rtpmap), ""), "/")
	name := parts[0]
	if other := otherNames[strings.ToUpper(strings.NewReplacer(".", "", "-", "", "_", "").Replace(name))]; other != "" {
		name = other
	}
	if name == "" {
		for _, s := range saysName {
			if has(s.parameter) {
				name = s.name
				break
			}
		}
	}
	if name == "" {
		return ""
	}
	clock, channels := 0, 0
	if len(parts) > 1 {
		clock = wholeNumber(parts[1])
	}
	if len(parts) > 2 {
		channels = wholeNumber(parts[2])
	}
	switch {
	case video:
		clock, channels = 90000, 0 // what the clock really is, the packets show
	case strings.EqualFold(name, "opus"):
		clock, channels = 48000, 2 // RFC 7587 7: always
	case clock == 0 && strings.HasPrefix(strings.ToUpper(name), "MP4A"):
		clock, channels = 90000, 1
	case clock == 0:
		clock = 8000 // which the clock of most sound is, RFC 3551 6
	}
	out := name + "/" + strconv.Itoa(clock)
	if channels > 0 {
		out += "/" + strconv.Itoa(channels)
	}
	return out
}

// wholeNumber reads "90000", and "90000.0" too; it returns 0 where there is no number.
func wholeNumber(text string) int {
	text, _, _ = strings.Cut(text, ".")
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// AllowUDP has gortsplib receive a format over UDP that says, or leaves out, that NAL units are never divided (packetization-mode 0,
// RFC 6184 6.2). Most cameras that say so divide them nonetheless; packets that are too large for UDP are counted as damaged.
func AllowUDP(f format.Format) {
	if h, ok := f.(*format.H264); ok && h.PacketizationMode == 0 {
		h.PacketizationMode = 1
	}
}

// ReadsDescription reports whether Receive reads the description of a format itself, from a format.Generic, because the library refuses
// some that can be recorded, and forgets a part of what the others say. rtpmap is what RTPMap returned.
func ReadsDescription(rtpmap string) bool {
	name, _, _ := strings.Cut(rtpmap, "/")
	return strings.EqualFold(name, genericAAC) || strings.EqualFold(name, latmAAC)
}
