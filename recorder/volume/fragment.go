package volume

import (
	"slices"
	"sync"
	"sync/atomic"

	"nvrfs/media"
	"nvrfs/mp4"
)

// A Fragment is the next few seconds of a recording, as they lie in its sample file. It never changes once it was handed on, so that
// any number of goroutines may read it. Its bytes come from a pool and go back there when the last holder has released it: until
// then nobody else uses that memory.
type Fragment struct {
	Tracks    [][]media.Sample     // by track, without their data
	Entries   []*media.SampleEntry // as in mp4.Fragment
	HeaderLen int                  // bytes before the data of the first sample

	Start90k        int64  // wall time of the recording's first frame, as known so far
	WallDuration90k int64  // of the recording, this fragment included
	Last            bool   // the recording ends with this fragment
	EndReason       string // why the run ends with this fragment; empty when the run goes on

	data    *[]byte
	holders atomic.Int32
}

// fragmentBuffers has the buffers of fragments that nobody holds. They are reused because a fragment is as large as a GOP:
// allocating and collecting one each time would cost more than filling it.
var fragmentBuffers = sync.Pool{New: func() any { return new([]byte) }}

// NewFragment packs samples. The caller holds the Fragment, and must release it. The samples belong to the fragment from now on;
// their data is copied.
func NewFragment(f *mp4.Fragment) *Fragment {
	x := &Fragment{Tracks: f.Tracks, Entries: f.Entries, data: fragmentBuffers.Get().(*[]byte)}
	x.holders.Store(1)
	bytes := 512
	for _, t := range f.Tracks {
		for i := range t {
			bytes += len(t[i].Data) + 12
		}
	}
	*x.data, x.HeaderLen = f.Append(slices.Grow((*x.data)[:0], bytes))
	for _, t := range f.Tracks {
		for i := range t {
			t[i].Data = nil // it is in the fragment now
		}
	}
	return x
}

// Bytes returns the fragment as it lies in the sample file. The bytes must not be used after Release.
func (x *Fragment) Bytes() []byte {
	b := *x.data
	return b[:len(b):len(b)]
}

// Retain adds a holder, who must call Release. Only while somebody holds the fragment may it be called.
func (x *Fragment) Retain() {
	if x.holders.Add(1) < 2 {
		panic("volume: a fragment is retained that nobody holds")
	}
}

// Release gives up the fragment. Every holder must call it exactly once.
func (x *Fragment) Release() {
	switch n := x.holders.Add(-1); {
	case n < 0:
		panic("volume: a fragment is released more often than it was retained")
	case n == 0:
		data := x.data
		x.data = nil // so that whoever reads it after Release panics, rather than sees another camera
		fragmentBuffers.Put(data)
	}
}
