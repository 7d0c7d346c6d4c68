package media

import "context"

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
	// first sample that follows is a sync sample of the first track, which is video, or sound where there is no video.
	Start(tracks []SampleEntry) error
	// NewEntry says that the sample entry of a track is another from its next sample on, which is a sync sample.
	NewEntry(track int, e SampleEntry) error
	// NewRun says that what follows makes another run, of these tracks, and why; nil are the tracks of before. The next sample is a
	// sync sample of the first track. Times may step.
	NewRun(tracks []SampleEntry, reason string) error
	// Sample hands over the next sample of a track. Its DTS is counted from an origin that all tracks of the session share; it
	// is not negative and strictly increases within a track, but for NewRun. Its CTS is not negative. Its Duration is how long
	// such a sample lasts as a rule, since only the next one tells how long it does.
	Sample(Sample) error
}
