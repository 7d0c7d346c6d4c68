package recorder

import (
	"context"
	"time"

	"nvrfs/mp4"
)

// A Source is one way to get the samples of a stream: an RTSP camera, or a simulated one in tests.
type Source interface {
	// Run connects, calls h.Start once, then h.Sample for every sample, in decode order per track, until ctx ends or the
	// session does. It returns why the session ended; nil means that ctx was cancelled. When it returns, it has let go of
	// everything and calls h no more. Run may be called again for another session.
	Run(ctx context.Context, h Handler) error
}

// A Handler takes what a Source yields. Its methods are called one at a time. While one of them works, nothing is read
// from the camera, so that it must not wait for long. An error from any of them ends the session with that error.
type Handler interface {
	// Start comes once, when the sample entry of every track is known; the index in tracks is the number of the track. The
	// first sample that follows is a sync sample of the first track, which is video.
	Start(tracks []mp4.SampleEntry) error
	// NewEntry says that the parameter sets of a track changed. The next sample of the track is a sync sample.
	NewEntry(track int, e mp4.SampleEntry) error
	// NewRun says that what follows makes another run, and why. The next sample is a sync sample of the first track. The
	// origin of times stays, but those of the other tracks may step back.
	NewRun(reason string) error
	Sample(Sample) error
}

// A Sample is the data of one timestamp of one track, with its times.
type Sample struct {
	Track int
	// DTS is in ticks of the track's timescale since an origin that all tracks of the session share. It is not negative
	// and strictly increases within a track, but for NewRun.
	DTS int64
	// CTS is the distance from DTS to PTS, in the same ticks, and not negative.
	CTS  int32
	Sync bool
	// Data is as stored in mp4: H.264 NAL units with lengths of 4 bytes in front, or one raw AAC frame. It belongs to the
	// Handler.
	Data []byte
	// Received is when the first packet of the sample came, by the host's clock, with a monotonic reading.
	Received time.Time
}

const (
	firstBackoff = time.Second
	mostBackoff  = 30 * time.Second
)

// Backoff returns how long to wait before connecting again after a number of failed attempts in a row: 1 s after the
// first (attempt 0), then twice as long each time up to 30 s, and up to a quarter less or more, so that cameras that
// failed together do not return together. rnd returns values in [0, 1), as rand.Float64 does.
func Backoff(attempt int, rnd func() float64) time.Duration {
	d := mostBackoff
	if attempt < 5 { // 1 s << 5 exceeds mostBackoff
		d = firstBackoff << max(attempt, 0)
	}
	return time.Duration(float64(d) * (0.75 + rnd()/2))
}
