package session_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"testing"
	"time"

	"nvrfs/recorder/internal/bench"
	"nvrfs/store"
)

// TestWhatCleanCamerasLeave holds the fragments and rows of cameras that do nothing odd against those that sessions have always
// made of them.
func TestWhatCleanCamerasLeave(t *testing.T) {
	for name, c := range map[string]struct {
		bench.Camera
		want string
	}{
		"plain":            {bench.Camera{AudioRate: 48000}, "ec022ee92c643d34"},
		"B-frames":         {bench.Camera{AudioRate: 44100, BFrames: true, AudioLate: 300 * time.Millisecond}, "d447d2b4fb13c438"},
		"burst and jitter": {bench.Camera{AudioRate: 16000, Burst: 60, Jitter: 150 * time.Millisecond, PPM: 200}, "a503145459432ce7"},
		"GOPs of 10 s":     {bench.Camera{GOP: 250, AudioRate: 48000, BFrames: true, PPM: -300}, "87236d2315a72d6b"},
		"no sound":         {bench.Camera{FPS: 10, GOP: 10, Origin90k: 1 << 35}, "e7dc77469641175e"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bench.New(t, time.Minute)
			b.Record(c.Camera, 5*time.Minute)
			h := sha256.New()
			for _, r := range b.Recordings() {
				f, err := b.Store.Open(store.Key{Stream: "cam", Number: r.ID.Number()})
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(h, io.NewSectionReader(f, r.HeaderBytes, r.Bytes-r.HeaderBytes))
				f.Close()
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(h, r.ID, r.Sequence, r.Start90k, r.WallDuration90k)
				for _, x := range r.Tracks {
					fmt.Fprintln(h, x.Start, x.Duration, x.LastDuration, x.FirstCTS, x.Samples, x.Syncs, x.TimeRuns, x.CTSRuns, x.Chunks, x.ChunkRuns, x.Runs)
				}
			}
			if got := hex.EncodeToString(h.Sum(nil)[:8]); got != c.want {
				t.Errorf("the digest is %s, want %s", got, c.want)
			}
		})
	}
}
