package survey

import (
	"fmt"
	"math"

	"nvrfs/codec"
	"nvrfs/media"
)

// From where on something is worth a word.
const (
	longGOP     = 10.0 // seconds
	clockOff    = 0.03 // of 1
	clockDrift  = 0.5  // seconds, more than a busy line or host delays packets
	wallOff     = 2.0  // seconds
	unevenGOP   = 3.0  // how much longer the longest is than the median
	manyEntries = 3
)

// Advise fills in Advice: what to change at the camera, the most important first.
func (r *Report) Advise() {
	say := func(format string, args ...any) { r.Advice = append(r.Advice, fmt.Sprintf(format, args...)) }
	for _, t := range r.Tracks {
		if t.Kind == media.Video.String() {
			t.advise(say)
		}
	}
	if len(r.Tracks) > 0 && r.Tracks[0].Kind != media.Video.String() {
		say("no picture is recorded; if the camera has one, switch it on in this stream")
	}
	if len(r.LeftOut) > 0 {
		say("what is left out could be recorded as another codec: set pictures to %s, and sound to %s",
			codec.Recorded("or", media.Video), codec.Recorded("or", media.Audio, media.RawAudio))
	}
	if c := r.Clock; c != nil && r.clockIsOff() {
		say("the camera's timestamps run at %.3f of real time, so that its footage would play too fast or too slow: set another frame rate, or update the camera", *c)
	}
	if a := r.WallAhead; a != nil && math.Abs(*a) > wallOff {
		say("set the camera's clock by NTP: its date is %s; footage is filed by this host's clock, but what the camera writes into the picture is wrong", AheadText(*a))
	}
	if r.Lost+r.Damaged > 0 {
		do := "look for a weak or busy line to the camera, or lower its bit rate"
		if r.Transport != "tcp" {
			do = "set transport: tcp in the configuration, or " + do
		}
		say("packets were lost or damaged: %s", do)
	}
}

// clockIsOff says whether the camera's timestamps went away from this host's clock by more than packets are delayed.
func (r *Report) clockIsOff() bool {
	return math.Abs(*r.Clock-1) > clockOff && math.Abs(r.drift) > clockDrift
}

func (t Track) advise(say func(string, ...any)) {
	frames := math.Max(1, math.Round(2*t.Rate))
	switch g := t.GOP; {
	case g == nil || t.everySync():
	case g.Longest > longGOP || g.Samples == 0 && g.Longest >= longGOP/2:
		say("set the I-frame interval (GOP, key frame interval) to 2 s, which is %.0f pictures, and switch off a smart codec (H.264+, H.265+, Zipstream, U-Code): "+
			"decoding can start only every %.0f s or more, so that recordings and clips begin as late", frames, g.Longest)
	case g.Samples > 0 && g.Longest > unevenGOP*g.Seconds && g.Longest > longGOP/2:
		say("switch off the smart codec (H.264+, H.265+, Zipstream, U-Code): decoding can start at uneven times, up to %.1f s apart", g.Longest)
	}
	if t.Entries > manyEntries {
		say("the camera changed its parameter sets %d times: switch off what adapts resolution or bit rate", t.Entries-1)
	}
	if t.advice != "" {
		say("%s", t.advice)
	}
}
