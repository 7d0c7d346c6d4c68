package codec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/media"
)

// soundTimes gives samples of sound their times. They strictly increase, whatever the camera's clock does.
type soundTimes struct {
	rate    uint32 // ticks a second
	started bool
	last    int64 // the DTS of the last sample
	end     int64 // when the last sample ended
}

// samples returns the samples of frames that follow each other, of which the first is to be heard at pts. duration returns how
// long a frame lasts.
//
// Many cameras stamp their audio with a clock that jitters, so that a frame may seem to start before the one before it
// ended, or even started. It then follows one tick after it. To go back by more than a second is no jitter: then it follows
// where the one before it ended, and so do those after it, until the clock is there too.
func (t *soundTimes) samples(frames [][]byte, pts int64, duration func(frame []byte) uint32) []media.Sample {
	out := make([]media.Sample, 0, len(frames))
	for _, frame := range frames {
		dts, lasts := pts, duration(frame)
		pts += int64(lasts)
		if len(frame) == 0 {
			continue
		}
		switch {
		case !t.started || dts > t.last:
		case t.last-dts > int64(t.rate):
			dts = t.end
		default:
			dts = t.last + 1
		}
		t.started, t.last, t.end = true, dts, max(dts+int64(lasts), dts+1)
		out = append(out, media.Sample{DTS: dts, Duration: lasts, Sync: true, Data: bytes.Clone(frame)})
	}
	return out
}

// jitter is the part of a second by which the clock of a camera may be off without a gap in its sound.
const jitter = 10

// follow returns when a block of sound begins that is to be heard at pts and lasts some ticks. The block is never squeezed: it
// begins where the one before it ended, or later. gap says that packets before it were lost.
func (t *soundTimes) follow(pts, lasts int64, gap bool) (dts int64) {
	dts = pts
	if late := pts - t.end; t.started && (late < 0 || !gap && late < int64(t.rate)/jitter) {
		dts = t.end
	}
	t.started, t.last, t.end = true, dts, dts+lasts
	return dts
}

// soundGaps remembers which units follow a gap, from when their packets come until their samples are made.
type soundGaps struct {
	lost  bool
	after []uint32 // timestamps of units
}

// maxSoundGaps is more than the units that a receiver of sound keeps.
const maxSoundGaps = 64

// begin is told of each unit that begins.
func (g *soundGaps) begin(timestamp uint32) {
	if !g.lost {
		return
	}
	g.lost = false
	if len(g.after) == maxSoundGaps {
		g.after = g.after[1:]
	}
	g.after = append(g.after, timestamp)
}

// before reports whether packets were lost before a unit.
func (g *soundGaps) before(u Unit) bool {
	i := slices.Index(g.after, u.Timestamp)
	if i < 0 {
		return false
	}
	g.after = slices.Delete(g.after, 0, i+1)
	return true
}

// unplayable returns the name of sound that is not recorded because what is stored of it would be played by hardly any program,
// or "".
func unplayable(f format.Format) string {
	switch f := f.(type) {
	case *format.G722:
		return "G.722"
	case *format.G726:
		return "G.726"
	case *format.Speex:
		return "Speex"
	case *format.Vorbis:
		return "Vorbis"
	case *format.Generic:
		name := rtpName(f)
		if name == "" {
			return staticSound[f.PayloadTyp]
		}
		for prefix, known := range otherSound {
			if strings.HasPrefix(name, prefix) {
				return known
			}
		}
	}
	return ""
}

// staticSound names sound by its RTP payload type (RFC 3551 table 4), and otherSound by how its encoding name begins.
var (
	staticSound = map[uint8]string{3: "GSM", 4: "G.723", 5: "DVI4", 6: "DVI4", 7: "LPC", 12: "QCELP", 15: "G.728", 16: "DVI4", 17: "DVI4", 18: "G.729"}
	otherSound  = map[string]string{
		"g722": "G.722", "g723": "G.723", "g726": "G.726", "aal2-g726": "G.726", "g728": "G.728", "g729": "G.729", "dvi4": "DVI4", "gsm": "GSM",
		"amr": "AMR", "ilbc": "iLBC", "speex": "Speex", "vorbis": "Vorbis",
	}
)

// rtpName returns the encoding name in the rtpmap of a format that the library does not know, in small letters.
func rtpName(f *format.Generic) string {
	name, _, _ := strings.Cut(f.RTPMa, "/")
	return strings.ToLower(strings.TrimSpace(name))
}
