package recorder

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
)

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"rtsp://192.0.2.10/stream1":                               "rtsp://192.0.2.10/stream1",
		"rtsp://user:secret@192.0.2.10:554/a/b":                   "rtsp://192.0.2.10:554/a/b",
		"rtsps://user@[2001:db8::1]:322/":                         "rtsps://[2001:db8::1]:322/",
		"rtsp://192.0.2.10/live?user=admin&password=secret":       "rtsp://192.0.2.10/live",
		"rtsp://192.0.2.10/user=admin&password=secret&channel=1":  "rtsp://192.0.2.10/…",
		"rtsp://192.0.2.10/live#secret":                           "rtsp://192.0.2.10/live",
		"rtsp://user:sec/ret@192.0.2.10/live":                     "rtsp://192.0.2.10/live",
		"rtsp://user:s@e@c@192.0.2.10/live":                       "rtsp://192.0.2.10/live",
		"rtsp://user:sec?ret@192.0.2.10/live":                     "rtsp://…",
		"rtsp://192.0.2.10/live?mail=me@example.org&token=secret": "rtsp://…",
		"rtsp://user:secret":                                      "rtsp://…",
		"user:secret@192.0.2.10":                                  "(without rtsp://)",
		"":                                                        "(without rtsp://)",
	} {
		if got := redactURL(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestHideSecrets(t *testing.T) {
	raw := "rtsp://user:p%40ss%21w@192.0.2.10/live?token=abc"
	invalid := strings.Join([]string{"rtsp://user:p@ss!w@192.0.2.10", "port/"}, ":") // which vet would notice whole
	_, parseErr := url.Parse(invalid)
	for _, msg := range []string{"p%40ss%21w", "p@ss!w", "p%40ss%21w", url.UserPassword("user", "p@ss!w").String(), "?token=abc", parseErr.Error()} {
		err := hideSecrets(errors.Join(io.EOF, errors.New("dial "+msg)), raw)
		for _, secret := range []string{"ss!w", "ss%21w", "abc"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q still holds %s", err, secret)
			}
		}
		if !errors.Is(err, io.EOF) || errors.Unwrap(err) != nil {
			t.Errorf("%v is io.EOF: %v, and gives out %v", err, errors.Is(err, io.EOF), errors.Unwrap(err))
		}
	}
	if err := hideSecrets(io.EOF, raw); err != io.EOF {
		t.Errorf("an error without secrets became %v", err)
	}
	if err := hideSecrets(nil, raw); err != nil {
		t.Errorf("no error became %v", err)
	}
}
