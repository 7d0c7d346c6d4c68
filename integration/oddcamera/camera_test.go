package oddcamera

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/media"
	"nvrfs/recorder/rtsp"
)

// sink counts samples, and ends the session when there are enough of each track.
type sink struct {
	media.Handler
	enough int
	counts [2]int
	done   context.CancelFunc
	first  [2][]byte
}

func (k *sink) Start([]media.SampleEntry) error { return nil }

func (k *sink) Sample(s media.Sample) error {
	if k.counts[s.Track]++; k.counts[s.Track] == 1 {
		k.first[s.Track] = s.Data
	}
	if k.counts[0] >= k.enough && k.counts[1] >= k.enough {
		k.done()
	}
	return nil
}

// TestBehaves records from a camera that does nothing odd.
func TestBehaves(t *testing.T) {
	for _, transport := range []rtsp.Transport{rtsp.TCP, rtsp.UDP} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			cam := Start(t, Case{Speed: 10, Auth: &Auth{
				User: "u", Password: "p", Challenges: []string{`Digest realm="cam", nonce="NONCE"`},
			}}, DemoVideo(), DemoSound())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			k := &sink{enough: 450, done: cancel} // more than a lap
			s := rtsp.Source{URL: "rtsp://u:p@" + cam.URL[len("rtsp://"):], Transport: transport, Log: slog.New(slog.DiscardHandler)}
			if err := s.Run(ctx, k); err != nil {
				t.Fatal(err)
			}
			if k.counts[0] < k.enough || k.counts[1] < k.enough {
				t.Fatalf("%d pictures and %d frames of sound came", k.counts[0], k.counts[1])
			}
			for i, track := range camera.DemoClip().Tracks() {
				if want, _ := track.Read(0); i == 0 && string(k.first[i]) != string(want) {
					t.Errorf("the first sample of track %d has %d bytes, want %d", i, len(k.first[i]), len(want))
				}
			}
			if sent := cam.Sent(0); len(sent) < k.enough || sent[0].N != 0 || !sent[0].Sync {
				t.Errorf("the camera tells of %d units sent", len(sent))
			}
		})
	}
}
