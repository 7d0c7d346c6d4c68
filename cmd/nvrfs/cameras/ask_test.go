package cameras

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"nvrfs/config"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
)

// terminal is an environment with a terminal, at which somebody types.
func terminal(typed, password string) (*Environment, *bytes.Buffer) {
	var shown bytes.Buffer
	return &Environment{
		Stdin: strings.NewReader(typed), Stderr: &shown,
		LookupEnv:    func(string) (string, bool) { return "", false },
		ReadPassword: func() (string, error) { return password, nil },
		Usagef:       fmt.Errorf,
	}, &shown
}

// Where a camera wants to know who asks, the user is asked for name and password, once.
func TestAsksForTheUser(t *testing.T) {
	for _, auth := range []string{onviftest.WS, onviftest.Digest} {
		device := onviftest.Start(t, onviftest.Options{
			Auth: auth, User: "admin", Password: "secret", Serial: "S1", Endpoint: "urn:uuid:1",
			Profiles: []onviftest.Profile{
				{Token: "a", Source: "v1", Codec: "H264", Width: 100, Height: 100, URI: "rtsp://127.0.0.1/1"},
				{Token: "b", Source: "v2", Codec: "H264", Width: 200, Height: 100, URI: "rtsp://camera.invalid/2"},
				{Token: "c", Source: "v2", Codec: "H264", Width: 100, Height: 100, URI: "rtsp://camera.invalid/3"},
				{Token: "d", Source: "v2", Codec: "JPEG", Width: 50, Height: 50, URI: "rtsp://camera.invalid/4"},
			},
		})
		env, shown := terminal("admin\n", "secret")
		var l login
		found, err := env.ask(t.Context(), device.Address(), 2, &l)
		want := candidate{
			main: "rtsp://127.0.0.1/2", sub: "rtsp://127.0.0.1/3", named: "camera.invalid", device: config.Device{Serial: "S1", Endpoint: "urn:uuid:1"},
		}
		if err != nil || found != want || l.user != "admin" || l.password != "secret" {
			t.Errorf("%s: got %+v, %v, as %q, want %+v", auth, found, err, l.user, want)
		}
		for _, text := range []string{"User: Password of admin: ", "it has 2 pictures of its own"} {
			if !strings.Contains(shown.String(), text) {
				t.Errorf("%s: want %q in\n%s", auth, text, shown)
			}
		}
		env, _ = terminal("\n", "secret")
		if _, err := env.ask(t.Context(), device.Address(), 1, new(login)); !errors.Is(err, onvif.ErrRefused) || !strings.Contains(err.Error(), "give --user") {
			t.Errorf("%s: without a name: %v", auth, err)
		}
		env, _ = terminal("admin\n", "wrong")
		if _, err := env.ask(t.Context(), device.Address(), 1, new(login)); !errors.Is(err, onvif.ErrRefused) {
			t.Errorf("%s: with a wrong password: %v", auth, err)
		}
	}
}

func TestReadsOneLine(t *testing.T) {
	rest := strings.NewReader("admin\nsecret\n")
	if line, err := readLine(rest); line != "admin" || err != nil || rest.Len() != len("secret\n") {
		t.Errorf("got %q, %v, and %d bytes are left", line, err, rest.Len())
	}
	if line, err := readLine(strings.NewReader("admin")); line != "admin" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if _, err := readLine(strings.NewReader(strings.Repeat("x", 5000))); err == nil {
		t.Error("a line without end was read")
	}
}
