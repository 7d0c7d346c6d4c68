package main

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"nvrfs/camera"
)

const (
	maxPayload  = 1400 // bytes of an RTP packet behind its header
	frameHeader = 4    // bytes before an interleaved packet (RFC 2326 10.12)
	rtpHeader   = 12
	payloadType = 96 // of the first track; the second one's is one more
)

// A programme is a lap of a clip as packets.
type programme struct {
	lap    time.Duration
	tracks []*camera.Track
	frames []frame // in the order in which they are due
	sdp    string
}

// A frame is one sample.
type frame struct {
	track   int
	due     time.Duration // since the start of the lap
	rtpTime int64         // since the start of the lap
	packets []byte        // interleaved, one behind the other, with zeros for sequence number and RTP time
}

func newProgramme(clip *camera.Clip) (*programme, error) {
	if clip.Video.Codec != camera.H264 {
		return nil, fmt.Errorf("its video is %s, want H264", clip.Video.Codec)
	}
	p := &programme{lap: clip.Duration(), tracks: []*camera.Track{clip.Video}}
	if clip.Audio != nil {
		p.tracks = append(p.tracks, clip.Audio)
	}
	for i, t := range p.tracks {
		for n, s := range t.Samples {
			units, err := t.AccessUnit(n)
			if err != nil {
				return nil, err
			}
			f := frame{
				track: i, rtpTime: t.RTPTime(n),
				due: time.Duration(float64(s.DTS) / float64(t.Timescale) * float64(time.Second)),
			}
			if t.Codec == camera.AAC {
				f.packets = appendAAC(nil, i, units[0])
			} else {
				f.packets = appendH264(nil, i, units)
			}
			p.frames = append(p.frames, f)
		}
	}
	slices.SortStableFunc(p.frames, func(a, b frame) int { return cmp.Compare(a.due, b.due) })
	p.sdp = describe(p.tracks)
	return p, nil
}

// appendPacket appends an interleaved RTP packet (RFC 3550 5.1) of a track.
func appendPacket(dst []byte, track int, marker bool, payload ...[]byte) []byte {
	size := rtpHeader
	for _, p := range payload {
		size += len(p)
	}
	pt := byte(payloadType + track)
	if marker {
		pt |= 0x80
	}
	dst = append(dst, '$', byte(2*track), byte(size>>8), byte(size), 0x80, pt)
	dst = append(dst, make([]byte, 10)...) // sequence number, time, SSRC
	binary.BigEndian.PutUint32(dst[len(dst)-4:], ssrc(track))
	for _, p := range payload {
		dst = append(dst, p...)
	}
	return dst
}

func ssrc(track int) uint32 { return 0x6e767200 + uint32(track) }

// appendH264 appends the packets of an access unit (RFC 6184 5.6 and 5.8).
func appendH264(dst []byte, track int, units [][]byte) []byte {
	for i, unit := range units {
		last := i == len(units)-1
		if len(unit) <= maxPayload {
			dst = appendPacket(dst, track, last, unit)
			continue
		}
		indicator, start, rest := unit[0]&0xe0|28, byte(0x80), unit[1:]
		for len(rest) > 0 {
			n := min(len(rest), maxPayload-2)
			end := byte(0)
			if n == len(rest) {
				end = 0x40
			}
			dst = appendPacket(dst, track, last && end != 0, []byte{indicator, start | end | unit[0]&0x1f}, rest[:n])
			start, rest = 0, rest[n:]
		}
	}
	return dst
}

// appendAAC appends the packet of a frame, in the AAC-hbr mode of RFC 3640 3.3.6.
func appendAAC(dst []byte, track int, unit []byte) []byte {
	return appendPacket(dst, track, true, []byte{0, 16, byte(len(unit) >> 5), byte(len(unit) << 3)}, unit)
}

// describe returns the session description (RFC 8866).
func describe(tracks []*camera.Track) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n")
	for i, t := range tracks {
		pt := payloadType + i
		if t.Codec == camera.AAC {
			fmt.Fprintf(&b, "m=audio 0 RTP/AVP %d\r\na=rtpmap:%[1]d mpeg4-generic/%d/%d\r\n", pt, t.ClockRate, channels(t.AudioConfig))
			fmt.Fprintf(&b, "a=fmtp:%d streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=%s\r\n",
				pt, hex.EncodeToString(t.AudioConfig))
		} else {
			fmt.Fprintf(&b, "m=video 0 RTP/AVP %d\r\na=rtpmap:%[1]d H264/90000\r\n", pt)
			fmt.Fprintf(&b, "a=fmtp:%d packetization-mode=1; sprop-parameter-sets=%s,%s\r\n",
				pt, base64.StdEncoding.EncodeToString(t.SPS), base64.StdEncoding.EncodeToString(t.PPS))
		}
		fmt.Fprintf(&b, "a=control:track%d\r\n", i)
	}
	return b.String()
}

// channels reads channelConfiguration of an AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) with a tabled sampling rate.
func channels(config []byte) int { return int(config[1] >> 3 & 0xf) }
