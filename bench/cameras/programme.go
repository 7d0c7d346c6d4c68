package main

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/camera"
	"nvrfs/codec"
	"nvrfs/mp4/demux"
)

const (
	frameHeader = 4 // bytes before an interleaved packet (RFC 2326 10.12)
	rtpHeader   = 12
	payloadType = 96 // of the first track; the second one's is one more, unless its codec has one of its own (RFC 3551 6)
)

// A programme is a lap of a clip as packets.
type programme struct {
	lap    time.Duration
	tracks []*demux.Track
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
	p := &programme{lap: clip.Duration(), tracks: clip.Tracks()}
	var desc description.Session
	for i, t := range p.tracks {
		sender, err := codec.Send(t.Entry, uint8(payloadType+i))
		if err != nil {
			return nil, err
		}
		typ := description.MediaTypeVideo
		if t.Entry.Kind.Sound() {
			typ = description.MediaTypeAudio
		}
		desc.Medias = append(desc.Medias, &description.Media{
			Type: typ, Control: fmt.Sprintf("track%d", i), Formats: []format.Format{sender.Format},
		})
		for n := range t.Len() {
			f, err := newFrame(t, sender, i, n)
			if err != nil {
				return nil, err
			}
			p.frames = append(p.frames, f)
		}
	}
	slices.SortStableFunc(p.frames, func(a, b frame) int { return cmp.Compare(a.due, b.due) })
	sdp, err := desc.Marshal()
	p.sdp = string(sdp)
	return p, err
}

// newFrame makes the packets of sample n of a track, of which i is the number.
func newFrame(t *demux.Track, sender *codec.Sender, i, n int) (frame, error) {
	data, err := t.Read(n)
	if err != nil {
		return frame{}, err
	}
	packets, err := sender.Packets(data)
	if err != nil {
		return frame{}, err
	}
	f := frame{
		track: i, rtpTime: camera.RTPTime(t, n),
		due: time.Duration(float64(t.Sample(n).DTS) / float64(t.Timescale) * float64(time.Second)),
	}
	for _, p := range packets {
		f.packets = appendPacket(f.packets, i, sender.Format.PayloadType(), p.Marker, p.Payload)
	}
	return f, nil
}

// appendPacket appends an interleaved RTP packet (RFC 3550 5.1) of a track.
func appendPacket(dst []byte, track int, pt uint8, marker bool, payload []byte) []byte {
	size := rtpHeader + len(payload)
	if marker {
		pt |= 0x80
	}
	dst = append(dst, '$', byte(2*track), byte(size>>8), byte(size), 0x80, pt)
	dst = append(dst, make([]byte, 10)...) // sequence number, time, SSRC
	binary.BigEndian.PutUint32(dst[len(dst)-4:], ssrc(track))
	return append(dst, payload...)
}

func ssrc(track int) uint32 { return 0x6e767200 + uint32(track) }
