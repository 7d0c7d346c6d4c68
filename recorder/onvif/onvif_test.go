package onvif_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
)

const (
	user     = "admin"
	password = "p<&>ä'secret"
)

var profiles = []onviftest.Profile{
	{Token: "sub", Source: "v1", Codec: "H264", Width: 704, Height: 576, URI: "rtsp://127.0.0.1:554/sub"},
	{Token: "main", Source: "v1", Codec: "H265", Width: 2560, Height: 1440, URI: "rtsp://127.0.0.1:554/main?a=1&b=2"},
	{Token: "mobile", Source: "v1", Codec: "H264", Width: 320, Height: 240, URI: "rtsp://127.0.0.1:554/mobile"},
	{Token: "other", Source: "v2", Codec: "H264", Width: 3840, Height: 2160, URI: "rtsp://127.0.0.1:554/other"},
}

func open(t *testing.T, d *onviftest.Device, user, password string) (*onvif.Client, error) {
	t.Helper()
	c, err := onvif.Open(t.Context(), onvif.Options{Address: d.Address(), User: user, Password: password})
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// Every way to prove the user, with clocks years off, and both media services.
func TestCamera(t *testing.T) {
	for _, auth := range []string{onviftest.Nobody, onviftest.WS, onviftest.Digest, onviftest.SHA256} {
		for _, ahead := range []time.Duration{0, -20 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
			for _, o := range []onviftest.Options{{}, {Media2: true}, {Old: true}, {Host: "0.0.0.0"}, {Host: "camera.invalid"}} {
				o.Auth, o.Ahead, o.User, o.Password = auth, ahead, user, password
				o.Serial, o.Profiles = "S1", profiles
				t.Run(fmt.Sprintf("%s %v media2=%t old=%t %s", auth, ahead, o.Media2, o.Old, o.Host), func(t *testing.T) {
					checkCamera(t, onviftest.Start(t, o))
				})
			}
		}
	}
}

func checkCamera(t *testing.T, d *onviftest.Device) {
	c, err := open(t, d, user, password)
	if err != nil {
		t.Fatal(err)
	}
	if ahead, ok := c.Clock(); !ok || (ahead-d.Ahead).Abs() > 5*time.Second {
		t.Errorf("the clock is ahead by %v (%t), want %v", ahead, ok, d.Ahead)
	}
	info, err := c.Information(t.Context())
	if want := (onvif.Information{"ACME", "IPC-1", "1.0", "S1"}); err != nil || info != want {
		t.Errorf("got %+v, %v, want %+v", info, err, want)
	}
	found, err := c.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := onvif.Sources(found); !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("sources %v", got)
	}
	main, sub, ok := onvif.Choose(found, "v1")
	if !ok || main.Token != "main" || sub == nil || sub.Token != "sub" {
		t.Fatalf("chose %+v and %+v", main, sub)
	}
	if main.Codec != "H265" || main.Width != 2560 || main.Height != 1440 || main.GOP != 50 || main.Rate != 25 || main.Bitrate != 4096 {
		t.Errorf("main is %+v", main)
	}
	u, err := c.StreamURL(t.Context(), main)
	if want := (onvif.StreamURL{URL: "rtsp://127.0.0.1:554/main?a=1&b=2"}); err != nil || u != want {
		t.Errorf("got %+v, %v, want %+v", u, err, want)
	}
	calls, _, seen := d.Log()
	if calls[0] != "GetSystemDateAndTime" {
		t.Errorf("the first call was %s; the clock must be known before a digest is made", calls[0])
	}
	for _, secret := range []string{password, onvif.Escape(password)} {
		if strings.Contains(seen, secret) {
			t.Error("the password was sent readable")
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name           string
		auth           string
		user, password string
		want           string
	}{
		{"wrong password, WS", onviftest.WS, user, "wrong", "the camera refuses the user name or password"},
		{"wrong password, digest", onviftest.Digest, user, "wrong", "the camera refuses the user name or password"},
		{"wrong user", onviftest.SHA256, "guest", password, "the camera refuses the user name or password"},
		{"no user, WS", onviftest.WS, "", "", "without a user name and a password"},
		{"no user, digest", onviftest.Digest, "", "", "without a user name and a password"},
		{"Basic alone", onviftest.Basic, user, password, "offers only Basic"},
		{"digest that is not known", onviftest.Odd, user, password, "algorithm=sha-3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := onviftest.Start(t, onviftest.Options{Auth: tt.auth, User: user, Password: password, Profiles: profiles})
			c, err := open(t, d, tt.user, tt.password)
			if err == nil {
				_, err = c.Information(t.Context())
			}
			if !errors.Is(err, onvif.ErrRefused) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error tells the password: %v", err)
			}
			_, denied, _ := d.Log()
			if len(denied) > 2 { // the challenge, and its answer: cameras shut out who tries often
				t.Errorf("%d requests were refused: %v", len(denied), denied)
			}
		})
	}
}

// What devices answer that makes no sense ends in an error that says so, soon, and in little memory.
func TestHostile(t *testing.T) {
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { onviftest.Reply(w, s) }
	}
	for _, tt := range []struct {
		name, call string
		answer     http.HandlerFunc
		want       string
	}{
		{"huge", "GetProfiles", func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		}, "longer than"},
		{"no XML", "GetProfiles", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html><br>\x1b[31m") }, "no XML"},
		{"deep", "GetProfiles", text(strings.Repeat("<a>", 20_000) + strings.Repeat("</a>", 20_000)), "no stream of video"},
		{"entity", "GetProfiles", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><s:Envelope xmlns:s="x"><s:Body>&a;</s:Body></s:Envelope>`)
		}, "no XML"},
		{"no profile", "GetProfiles", text("<GetProfilesResponse/>"), "no stream of video"},
		{"fault", "GetProfiles", func(w http.ResponseWriter, _ *http.Request) {
			onviftest.Fault(w, 500, "ter:Busy", "try\x0aagain"+strings.Repeat("x", 1000))
		}, "ter:Busy: try again"},
		{"redirect", "GetProfiles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://192.0.2.1/onvif/x", http.StatusMovedPermanently)
		}, "sends on to https://192.0.2.1/onvif/x"},
		{"status", "GetProfiles", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503"},
		{"no RTSP URL", "GetStreamUri", text("<GetStreamUriResponse><MediaUri><Uri>http://127.0.0.1/x</Uri></MediaUri></GetStreamUriResponse>"), "no RTSP URL"},
		{"long URL", "GetStreamUri", text("<GetStreamUriResponse><MediaUri><Uri>rtsp://127.0.0.1/" + strings.Repeat("x", 5000) + "</Uri></MediaUri></GetStreamUriResponse>"), "no RTSP URL"},
		{"control characters", "GetStreamUri", text("<GetStreamUriResponse><MediaUri><Uri>rtsp://127.0.0.1/\x7fx</Uri></MediaUri></GetStreamUriResponse>"), "no RTSP URL"},
		{"service nowhere", "GetServices", text("<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>file:///etc/passwd</XAddr></Service></GetServicesResponse>"), "no URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := onviftest.Start(t, onviftest.Options{Profiles: profiles, Answer: map[string]http.HandlerFunc{tt.call: tt.answer}})
			err := all(t, d)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x1b\n\r") {
				t.Errorf("the error is %d bytes long, or of several lines: %q", len(err.Error()), err)
			}
		})
	}
}

// all makes every call, up to the first error.
func all(t *testing.T, d *onviftest.Device) error {
	c, err := open(t, d, user, password)
	if err != nil {
		return err
	}
	if _, err := c.Information(t.Context()); err != nil {
		return err
	}
	found, err := c.Profiles(t.Context())
	if err != nil {
		return err
	}
	_, err = c.StreamURL(t.Context(), found[0])
	return err
}

func TestADeviceThatNeverAnswersEnds(t *testing.T) {
	hold := make(chan struct{})
	d := onviftest.Start(t, onviftest.Options{Answer: map[string]http.HandlerFunc{"GetDeviceInformation": func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}}})
	defer close(hold)
	c, err := open(t, d, "", "")
	if err != nil {
		t.Fatal(err)
	}
	err = c.Call(t.Context(), onvif.Request{Action: "x/GetDeviceInformation", Body: "<GetDeviceInformation/>", Timeout: 50 * time.Millisecond}, nil)
	if err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Information(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Whatever host a device names, requests and the URL of a stream stay with the one that the caller named.
func TestCredentialsStayWithTheHost(t *testing.T) {
	other := onviftest.Start(t, onviftest.Options{Profiles: profiles})
	_, port, _ := strings.Cut(other.Address(), ":")
	d := onviftest.Start(t, onviftest.Options{
		Auth: onviftest.WS, User: user, Password: password,
		Profiles: []onviftest.Profile{{Token: "a", Codec: "H264", Width: 1, Height: 1, URI: "rtsp://u:p@localhost:5554/x?y=${file:/etc/passwd}"}},
		Answer: map[string]http.HandlerFunc{"GetServices": func(w http.ResponseWriter, _ *http.Request) {
			onviftest.Reply(w, `<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://localhost:`+port+`/onvif/media</XAddr></Service></GetServicesResponse>`)
		}},
	})
	c, err := open(t, d, user, password)
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Profiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.StreamURL(t.Context(), found[0])
	if want := (onvif.StreamURL{URL: "rtsp://127.0.0.1:5554/x?y=${file:/etc/passwd}", Named: "localhost"}); err != nil || u != want {
		t.Errorf("got %+v, %v, want %+v", u, err, want)
	}
	if calls, denied, _ := other.Log(); len(calls)+len(denied) > 0 {
		t.Errorf("the other host was asked: %v %v", calls, denied)
	}
}

func TestNoDevice(t *testing.T) {
	d := onviftest.Start(t, onviftest.Options{})
	for address, want := range map[string]string{
		"127.0.0.1:1":                "no ONVIF device answers",
		d.HTTP.URL + "/elsewhere":    "no ONVIF device answers",
		"ftp://127.0.0.1/":           "is no address",
		"http://u:secret@127.0.0.1/": "is no address",
		"":                           "is no address",
	} {
		_, err := onvif.Open(t.Context(), onvif.Options{Address: address})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want %q", address, err, want)
		}
	}
}
