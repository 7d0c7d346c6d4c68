package rtsp

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/oddcamera"
)

// TestNothingIsSaidOfTracksAtTheEnd ends sessions while SETUP of sound is under way. The log does not say that the sound is not
// recorded, since nothing is; the next session has it.
func TestNothingIsSaidOfTracksAtTheEnd(t *testing.T) {
	for name, end := range map[string]func(a *oddcamera.Answer, stop func()){
		"stopped":         func(a *oddcamera.Answer, stop func()) { a.None = true; stop() },
		"connection gone": func(a *oddcamera.Answer, _ func()) { a.None, a.HangUp = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), testTimeout)
			defer stop()
			asked := 0
			c := refuseSound(func(a *oddcamera.Answer) {
				if asked++; asked == 1 {
					end(a, stop)
				}
			})
			c.Speed = 20
			cam := oddcamera.Start(t, c, oddcamera.DemoVideo(), oddcamera.DemoSound())
			log := new(logBuffer)
			s := &Source{URL: cam.URL, Log: slog.New(slog.NewTextHandler(log, nil)), SilenceTimeout: 20 * time.Second}
			err := s.Run(ctx, new(collector))
			if stopped := name == "stopped"; stopped != (err == nil) {
				t.Errorf("it ends with %v", err)
			}
			if strings.Contains(log.String(), "level=WARN") {
				t.Errorf("the log warns:\n%s", log)
			}
			h := new(collector)
			if _, err := runRTSP(t, s, h, 2, oddPictures); err != nil || len(h.tracks) != 2 {
				t.Errorf("the next session has %d tracks: %v", len(h.tracks), err)
			}
		})
	}
}
