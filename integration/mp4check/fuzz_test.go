package mp4check

import (
	"bytes"
	"runtime"
	"testing"
)

// maxAmplification bounds the memory allocated in all for a byte of the file.
// The dearest byte is that of a box header: it costs a Box, a few times while
// its slice grows, and the strings around it.
const maxAmplification = 1000

// FuzzCheck checks files that mean ill: no panic, and no more memory than the
// file has bytes for. The seeds are the fixtures and the planted defects. They
// are so long that minimizing them takes most of the time: run it with
// -fuzzminimizetime 20x.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{bframes, noEdit, hevc} {
		f.Add(load(f, name).data)
	}
	for _, d := range defects {
		s := load(f, d.fixture)
		d.plant(s)
		f.Add(s.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Check(bytes.NewReader(data), int64(len(data)))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(data)*maxAmplification+1<<20) {
			t.Errorf("%d bytes took %d bytes of memory", len(data), used)
		}
		samples := 0
		for _, track := range r.Tracks {
			samples += len(track.Samples)
		}
		if samples > len(data) {
			t.Errorf("%d bytes hold %d samples", len(data), samples)
		}
		if err != nil && len(Violations(err)) == 0 {
			t.Errorf("an error without a violation: %v", err)
		}
	})
}
