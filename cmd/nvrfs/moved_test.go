package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"nvrfs/camera"
	"nvrfs/config"
	"nvrfs/media"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
)

var errFirst = errors.New("the first sample came")

// endAtFirst is a handler that ends a session at its first sample.
type endAtFirst struct{ media.Handler }

func (endAtFirst) Start([]media.SampleEntry) error { return nil }
func (endAtFirst) Sample(media.Sample) error       { return errFirst }

// A camera that does not answer where the configuration says is recorded from where a device claims its serial number, and told no
// more than a digest of the password.
func TestMovedCamera(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		auth  camera.Auth
		known config.Device
		comes bool
	}{
		{"serial", camera.AuthDigest, config.Device{Serial: "S1"}, true},
		{"endpoint", camera.AuthDigest, config.Device{Endpoint: "urn:uuid:1"}, true},
		{"any authentication", camera.AuthAny, config.Device{Serial: "S1"}, true},
		{"Basic alone", camera.AuthBasic, config.Device{Serial: "S1"}, false},
		{"another serial", camera.AuthDigest, config.Device{Serial: "S2", Endpoint: "urn:uuid:1"}, false},
		{"nothing to recognise it by", camera.AuthDigest, config.Device{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cam, err := camera.Start(camera.Options{Clip: camera.DemoClip(), User: "admin", Password: "xyzzy", Auth: tt.auth})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cam.Close() })
			device := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:1", Serial: "S1", Public: true})
			var log bytes.Buffer
			env := &environment{log: slog.New(slog.NewTextHandler(&log, nil))}
			env.moved.after = time.Nanosecond
			env.moved.finder.Discovery = onvif.Discovery{Targets: []netip.AddrPort{device.Probe}, Wait: 500 * time.Millisecond}

			// 127.0.0.2 is this host, where nothing listens at that address.
			at := strings.NewReplacer("127.0.0.1", "127.0.0.2", "://", "://"+url.UserPassword("admin", "xyzzy").String()+"@").Replace(cam.URL())
			u, err := config.ParseURL(at, nil)
			if err != nil {
				t.Fatal(err)
			}
			source := env.followed("gate", config.Stream{Name: "main", URL: u, Transport: "tcp", Device: tt.known}, env.log)
			var tried []string
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				err := source.Run(ctx, endAtFirst{})
				cancel()
				tried = append(tried, fmt.Sprint(err))
				if errors.Is(err, errFirst) || strings.Contains(fmt.Sprint(err), errFirst.Error()) {
					break
				}
			}
			last := tried[len(tried)-1]
			if came := strings.Contains(last, errFirst.Error()); came != tt.comes {
				t.Errorf("tries ended with %q", tried)
			}
			if said := strings.Contains(log.String(), "was found at another address"); said != tt.comes {
				t.Errorf("the log is\n%s", &log)
			}
			if tt.auth == camera.AuthBasic && !strings.Contains(strings.Join(tried, "\n"), `"basic" only`) {
				t.Errorf("Basic was answered: %q", tried)
			}
			if strings.Contains(log.String(), "xyzzy") {
				t.Errorf("the log tells the password:\n%s", &log)
			}
		})
	}
}
