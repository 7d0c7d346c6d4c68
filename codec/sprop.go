package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"nvrfs/codec/nal"
)

// MendParameter returns the value of a parameter of a format (fmtp) such that gortsplib reads all of it, and "" where nothing of it can
// be read. It concerns parameter sets, of which gortsplib reads the first ones alone, and none where one of them is damaged.
func MendParameter(name, value string) string {
	switch strings.ToLower(name) {
	case "sprop-parameter-sets":
		sets := spropSets(value)
		switch len(sets) {
		case 0:
			return ""
		case 1:
			sets = append(sets, sets[0]) // gortsplib reads two
		}
		return encodeSets(sets[:1]) + "," + encodeSets(sets[1:])
	case "sprop-vps", "sprop-sps", "sprop-pps":
		return encodeSets(spropSets(value))
	}
	return value
}

// spropSets reads sets that have commas between them (RFC 6184 8.1, RFC 7798 7.1). Some cameras put them in the form that mp4 files
// have.
func spropSets(value string) (sets [][]byte) {
	for text := range strings.SplitSeq(value, ",") {
		text = strings.NewReplacer("-", "+", "_", "/", " ", "").Replace(strings.TrimRight(strings.Trim(text, `" `), "="))
		data, err := base64.RawStdEncoding.DecodeString(text)
		if data = bytes.TrimRight(data, "\x00"); err != nil || len(data) == 0 {
			continue
		}
		if inside, ok := configuredSets(data); ok {
			sets = append(sets, inside...)
		} else if n := len(data) - 4; n > 1 && binary.BigEndian.Uint32(data) == uint32(n) {
			sets = append(sets, data[4:]) // its length stands before it
		} else {
			sets = append(sets, nal.Split(data)...)
		}
	}
	return sets
}

// configuredSets reads the sets of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1).
func configuredSets(data []byte) (sets [][]byte, ok bool) {
	if len(data) < 7 || data[0] != 1 || data[4]&0xfc != 0xfc {
		return nil, false
	}
	rest := data[5:]
	for range 2 { // SPS, then PPS
		if len(rest) == 0 {
			break
		}
		n := int(rest[0] & 0x1f)
		rest = rest[1:]
		for range n {
			if len(rest) < 2 || int(binary.BigEndian.Uint16(rest)) > len(rest)-2 {
				return sets, len(sets) > 0
			}
			size := int(binary.BigEndian.Uint16(rest))
			sets, rest = append(sets, rest[2:2+size]), rest[2+size:]
		}
	}
	return sets, len(sets) > 0
}

// encodeSets makes one set of several, with start codes between them, which newNALReceiver takes apart.
func encodeSets(sets [][]byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Join(sets, []byte{0, 0, 0, 1}))
}
