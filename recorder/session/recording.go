package session

import (
	"math"

	"nvrfs/media"
	"nvrfs/mp4"
	"nvrfs/recorder/volume"
)

// A recording is the one that a session is making.
type recording struct {
	kinds     []media.Kind
	timescale uint32 // of the master
	start90k  int64  // wall time of the first frame, as known so far
	startDTS  int64  // of the master's first sample
	firstCTS  int32
	fragments uint32
	entry     *media.SampleEntry // of the master from the next fragment on; nil where it stays
}

// newRecording starts the next recording, whose first fragment is of samples, by track.
func newRecording(tracks []media.SampleEntry, start90k int64, samples [][]media.Sample) *recording {
	first := &samples[master][0]
	r := &recording{timescale: tracks[master].Timescale, start90k: start90k, startDTS: first.DTS, firstCTS: first.CTS}
	for i := range tracks {
		r.kinds = append(r.kinds, tracks[i].Kind)
	}
	return r
}

// to90k converts a time of the master.
func (r *recording) to90k(t int64) int64 { return media.Rescale(t, r.timescale, media.TicksPerSecond) }

// fragment packs the next fragment of the recording. The samples are its from now on.
func (r *recording) fragment(tracks [][]media.Sample) *volume.Fragment {
	r.fragments++
	f := mp4.Fragment{
		Sequence: r.fragments, Wall90k: r.start90k + r.to90k(tracks[master][0].DTS-r.startDTS-int64(r.firstCTS)),
		Tracks: tracks, Kinds: r.kinds,
	}
	if r.entry != nil {
		f.Entries = make([]*media.SampleEntry, len(tracks))
		f.Entries[master], r.entry = r.entry, nil
	}
	x := volume.NewFragment(&f)
	x.Start90k = r.start90k
	return x
}

// fragmentTrack makes a fragment's track of the first n samples of p, each lasting until the next one. A last sample
// without a next one gets lastDuration.
func fragmentTrack(p []media.Sample, n int, lastDuration uint32) []media.Sample {
	t := append([]media.Sample(nil), p[:n]...)
	for k := range t {
		t[k].Duration = lastDuration
		if k+1 < len(p) {
			t[k].Duration = uint32(min(p[k+1].DTS-p[k].DTS, math.MaxUint32))
		}
	}
	return t
}
