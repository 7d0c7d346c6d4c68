package oddcamera

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/mp4/demux"
)

const maxPayload = 1400 // bytes

// A Track is what a camera sends of one kind.
type Track struct {
	Media       string // its part of the session description, without its a=control
	PayloadType uint8
	Rate        uint32 // ticks a second of its RTP clock
	Units       []TrackUnit
	Length      int64    // in ticks
	Sets        [][]byte // the parameter sets of a picture, which are only in Media: a hook can put them in band

	// Payloads makes the payloads of the packets of a unit.
	Payloads func(parts [][]byte) [][]byte
}

// A TrackUnit is an access unit of a track. Its times are in ticks of the RTP clock from the track's start.
type TrackUnit struct {
	Sent  int64 // when it is sent
	Shown int64 // what its RTP timestamp says
	Parts [][]byte
	Sync  bool
}

func (t *Track) at(ticks int64) time.Duration {
	return time.Duration(float64(ticks) / float64(t.Rate) * float64(time.Second))
}

// DemoVideo is the picture of the demo clip: 16 s of H.264, 25 pictures a second, a sync sample each second.
func DemoVideo() *Track { return H264(camera.DemoClip().Video) }

// DemoSound is the sound of the demo clip: 16 s of AAC, 48 kHz, mono.
func DemoSound() *Track { return AAC(camera.DemoClip().Audio) }

// H264 is a track of an mp4 file, with one NAL unit or a part of one (FU-A) a packet (RFC 6184).
func H264(t *demux.Track) *Track {
	avcC := boxIn(t.Entry.Box, "avcC")
	out := video(t)
	rest := avcC[5:]
	for range 2 { // SPS, then PPS, each with a count
		n := int(rest[0] & 0x1f)
		rest = rest[1:]
		for range n {
			size := int(binary.BigEndian.Uint16(rest))
			out.Sets, rest = append(out.Sets, rest[2:2+size]), rest[2+size:]
		}
	}
	out.Payloads = H264Payloads
	sprop := ""
	for i, set := range out.Sets {
		if i > 0 {
			sprop += ","
		}
		sprop += base64.StdEncoding.EncodeToString(set)
	}
	out.Media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" +
		fmt.Sprintf("a=fmtp:96 packetization-mode=1;profile-level-id=%X;sprop-parameter-sets=%s\r\n", avcC[1:4], sprop)
	return out
}

// H265 is a track of an mp4 file, with one NAL unit or a part of one (FU) a packet (RFC 7798).
func H265(t *demux.Track) *Track {
	out := video(t)
	out.Payloads = H265Payloads
	hvcC := boxIn(t.Entry.Box, "hvcC")
	sprop, rest := "", hvcC[23:]
	for range hvcC[22] {
		typ, n := rest[0]&0x3f, int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[3:]
		for range n {
			size := int(binary.BigEndian.Uint16(rest))
			set := rest[2 : 2+size]
			rest = rest[2+size:]
			out.Sets = append(out.Sets, set)
			if name := map[byte]string{32: "vps", 33: "sps", 34: "pps"}[typ]; name != "" {
				sprop += ";sprop-" + name + "=" + base64.StdEncoding.EncodeToString(set)
			}
		}
	}
	out.Media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=fmtp:96 profile-id=1" + sprop + "\r\n"
	return out
}

// video takes the NAL units of a file.
func video(t *demux.Track) *Track {
	return fromFile(t, 96, func(sample []byte) (units [][]byte) {
		for len(sample) > 0 {
			n := 4 + binary.BigEndian.Uint32(sample)
			units, sample = append(units, sample[4:n]), sample[n:]
		}
		return units
	})
}

// AAC is a track of an mp4 file, with one frame a packet (RFC 3640, AAC-hbr).
func AAC(t *demux.Track) *Track {
	out := fromFile(t, 97, func(sample []byte) [][]byte { return [][]byte{sample} })
	out.Payloads = func(parts [][]byte) [][]byte {
		frame := parts[0]
		head := binary.BigEndian.AppendUint16([]byte{0, 16}, uint16(len(frame))<<3)
		return [][]byte{append(head, frame...)}
	}
	out.Media = "m=audio 0 RTP/AVP 97\r\n" +
		fmt.Sprintf("a=rtpmap:97 mpeg4-generic/%d/%d\r\n", t.Entry.Timescale, binary.BigEndian.Uint16(t.Entry.Box[24:])) +
		fmt.Sprintf("a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;config=%x;sizelength=13;indexlength=3;indexdeltalength=3\r\n",
			audioConfig(t.Entry.Box))
	return out
}

// G711 is 16 s of a tone of 400 Hz, of 20 ms a packet: of mu-law, whose payload type is 0, or A-law, whose type is 8.
func G711(muLaw bool) *Track {
	out := &Track{PayloadType: 8, Rate: 8000, Length: 16 * 8000, Media: "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"}
	if muLaw {
		out.PayloadType, out.Media = 0, "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	}
	for at := int64(0); at < out.Length; at += 160 {
		data := make([]byte, 160)
		for i := range data {
			v := int(8000 * math.Sin(2*math.Pi*400*float64(at+int64(i))/8000))
			data[i] = aLaw(v)
			if muLaw {
				data[i] = uLaw(v)
			}
		}
		out.Units = append(out.Units, TrackUnit{Sent: at, Shown: at, Parts: [][]byte{data}, Sync: true})
	}
	out.Payloads = func(parts [][]byte) [][]byte { return parts }
	return out
}

// magnitude returns the sign, and the segment and mantissa, of a value of 16 bits in both laws (ITU-T G.711).
func magnitude(v, bias, least int) (sign, low byte) {
	if sign = 0x80; v < 0 {
		sign, v = 0, -v
	}
	v = min(v+bias, 0x7fff)
	segment := 7
	for ; segment > 0 && v < 0x80<<segment; segment-- {
	}
	return sign, byte(segment)<<4 | byte(v>>max(segment+3, least))&0xf
}

func aLaw(v int) byte {
	sign, low := magnitude(v, 0, 4)
	return (sign | low) ^ 0x55
}

func uLaw(v int) byte {
	sign, low := magnitude(v, 0x84, 3)
	return ^(sign ^ 0x80 | low)
}

// fromFile takes all samples of an mp4 file, which are lists of parts.
func fromFile(t *demux.Track, payloadType uint8, split func([]byte) [][]byte) *Track {
	out := &Track{PayloadType: payloadType, Rate: t.Entry.Timescale}
	first := t.Sample(0).DTS
	ticks := func(v int64) int64 { return media.Rescale(v-first, t.Timescale, out.Rate) }
	for i := range t.Len() {
		data, err := t.Read(i)
		if err != nil {
			panic("oddcamera: " + err.Error())
		}
		s := t.Sample(i)
		out.Units = append(out.Units, TrackUnit{Sent: ticks(s.DTS), Shown: ticks(s.PTS()), Parts: split(data), Sync: s.Sync})
	}
	out.Length = ticks(t.End)
	return out
}

// H264Payloads makes the payloads of NAL units of H.264.
func H264Payloads(units [][]byte) (out [][]byte) {
	for _, unit := range units {
		if len(unit) <= maxPayload {
			out = append(out, unit)
			continue
		}
		head := unit[0]
		for i, part := range cut(unit[1:]) {
			fu := head & 0x1f
			if i == 0 {
				fu |= 0x80
			}
			out = append(out, append([]byte{head&0xe0 | 28, fu}, part...))
		}
		out[len(out)-1][1] |= 0x40
	}
	return out
}

// H265Payloads makes the payloads of NAL units of H.265.
func H265Payloads(units [][]byte) (out [][]byte) {
	for _, unit := range units {
		if len(unit) <= maxPayload {
			out = append(out, unit)
			continue
		}
		for i, part := range cut(unit[2:]) {
			fu := unit[0] >> 1 & 0x3f
			if i == 0 {
				fu |= 0x80
			}
			out = append(out, append([]byte{unit[0]&0x81 | 49<<1, unit[1], fu}, part...))
		}
		out[len(out)-1][2] |= 0x40
	}
	return out
}

func cut(data []byte) (parts [][]byte) {
	for len(data) > maxPayload {
		parts, data = append(parts, data[:maxPayload]), data[maxPayload:]
	}
	return append(parts, data)
}

// boxIn returns the content of a box that is somewhere in another.
func boxIn(box []byte, typ string) []byte {
	i := bytes.Index(box, []byte(typ))
	if i < 4 {
		panic("oddcamera: a sample entry without " + typ)
	}
	return box[i+4 : i-4+int(binary.BigEndian.Uint32(box[i-4:]))]
}

// audioConfig returns the AudioSpecificConfig of an mp4a sample entry: the last descriptor but that of one byte (ISO/IEC 14496-1
// 7.2.6.7), whose tag is 5.
func audioConfig(box []byte) []byte {
	esds := boxIn(box, "esds")
	for i := 4; i+2 < len(esds); i++ {
		if esds[i] != 5 {
			continue
		}
		at := i + 1
		for esds[at] == 0x80 && at+1 < len(esds) {
			at++
		}
		if size := int(esds[at]); size >= 2 && at+1+size <= len(esds) {
			return esds[at+1 : at+1+size]
		}
	}
	panic("oddcamera: a sample entry without a configuration of AAC")
}
