package session

import (
	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
)

// A recording is the one that a session is making.
type recording struct {
	start90k     int64 // wall time of the first frame, as known so far
	startDTS     int64 // of the first video sample
	firstCTS     int32
	lastDuration []uint32 // by track
	fragments    uint32
}

// newRecording starts the next recording, whose first fragment is of samples, by track.
func newRecording(tracks []media.SampleEntry, start90k int64, samples [][]media.Sample) *recording {
	first := &samples[video][0]
	return &recording{lastDuration: make([]uint32, len(tracks)), start90k: start90k, startDTS: first.DTS, firstCTS: first.CTS}
}

// fragment packs the next fragment of the recording. The samples are its from now on.
func (r *recording) fragment(tracks [][]media.Sample) *volume.Fragment {
	r.fragments++
	first := tracks[video][0].DTS
	for i, t := range tracks {
		if n := len(t); n > 0 {
			r.lastDuration[i] = t[n-1].Duration
		}
	}
	f := volume.NewFragment(&mp4.Fragment{
		Sequence: r.fragments, Wall90k: r.start90k + first - r.startDTS - int64(r.firstCTS), Tracks: tracks,
	})
	f.Start90k = r.start90k
	return f
}
