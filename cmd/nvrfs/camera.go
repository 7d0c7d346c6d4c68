package main

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nvrfs/cmd/nvrfs/cameras"
	"nvrfs/config"
	"nvrfs/media"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/rtsp"
)

func newCameraCommand(env *environment) *cobra.Command {
	c := &cameras.Environment{
		Stdin: env.stdin, Stdout: env.stdout, Stderr: env.stderr, LookupEnv: env.lookupEnv,
		Log: func() *slog.Logger { return env.log },
		Source: func(s config.Stream, log *slog.Logger, reports func(wall, received time.Time)) media.Source {
			r := source(s, "", log)
			r.Reports = reports
			return r
		},
		Usagef: usageErrorf, WantArgs: wantArgs,
		Choice: func(cmd *cobra.Command, name, value, usage string, allowed ...string) *string {
			word := &choice{value: value}
			addChoice(cmd, cmd.Flags(), word, name, usage, allowed...)
			return &word.value
		},
	}
	if f, ok := env.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.ReadPassword = func() (string, error) {
			password, err := term.ReadPassword(int(f.Fd()))
			return string(password), err
		}
	}
	return cameras.Command(c)
}

// source returns the source that records a stream from its URL or, where an address is given, from that address. Then it sends at most a
// digest of the password, because another device than the camera may answer there.
func source(s config.Stream, address string, log *slog.Logger) *rtsp.Source {
	at := s.URL.Reveal()
	if u, err := url.Parse(at); err == nil && address != "" {
		if port := u.Port(); port != "" {
			address = net.JoinHostPort(address, port)
		}
		u.Host = address
		at = u.String()
	}
	return &rtsp.Source{
		URL: at, Transport: rtsp.Transport(s.Transport), Fingerprint: s.Fingerprint, UserAgent: "nvrfs/" + buildVersion(), DigestOnly: address != "", Log: log,
	}
}

// moved knows the serial number and the endpoint of each camera, and finds cameras whose address has changed.
type moved struct {
	finder onvif.Finder
	after  time.Duration // how long a camera is away before it is looked for; that of onvif.Follower where 0

	mu      sync.Mutex
	devices map[string]onvif.Identity // of each camera, as the newest configuration says
}

func (m *moved) set(camera string, d config.Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.devices == nil {
		m.devices = map[string]onvif.Identity{}
	}
	m.devices[camera] = onvif.Identity(d)
}

func (m *moved) find(ctx context.Context, camera string) (address string, ok bool) {
	m.mu.Lock()
	id := m.devices[camera]
	m.mu.Unlock()
	if !id.Known() {
		return "", false
	}
	return m.finder.Find(ctx, id)
}

// followed returns a source that records a stream, and goes on when the camera has moved to another address.
func (env *environment) followed(camera string, s config.Stream, log *slog.Logger) media.Source {
	env.moved.set(camera, s.Device)
	return &onvif.Follower{
		After:  env.moved.after,
		Source: func(address string) media.Source { return source(s, address, log) },
		Find:   func(ctx context.Context) (string, bool) { return env.moved.find(ctx, camera) },
		Moved: func(address string) {
			log.Warn("the camera was found at another address, by its serial number or endpoint, and is recorded from there",
				"reason", "it did not answer where the configuration says, and answers at "+address,
				"do", "have the router give it a fixed address, or write "+address+" into the addresses of cameras."+camera+" in the configuration")
		},
	}
}
