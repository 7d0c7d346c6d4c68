package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// literalURL is the URL of a URL without secrets.
func literalURL(t *testing.T, s string) URL {
	t.Helper()
	u, err := ParseURL(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func testSecrets(name string) (string, error) {
	value, ok := map[string]string{
		"PW":        "hunter2/@:?#%",
		"USER":      "ad min",
		"HOST":      "192.0.2.10",
		"TOKEN":     "t0ken",
		"URL":       "rtsp://admin:hunter2@192.0.2.10/hunter2?k=hunter2",
		"BASE":      "rtsp://192.0.2.10",
		"file:/a/b": "hunter2",
	}[name]
	if !ok {
		return "", errors.New("no " + name)
	}
	return value, nil
}

func TestParseURL(t *testing.T) {
	tests := []struct{ template, revealed, shown string }{
		{"rtsp://192.0.2.10/stream1", "rtsp://192.0.2.10/stream1", "rtsp://192.0.2.10/stream1"},
		{"rtsps://cam.example:322/a?b=c&d", "rtsps://cam.example:322/a?b=c&d", "rtsps://cam.example:322/a?b=c&d"},
		{"RTSP://h/", "rtsp://h/", "rtsp://h/"},
		{"rtsp://u@h/", "rtsp://u@h/", "rtsp://u@h/"},
		{"rtsp://u:hunter2@h/", "rtsp://u:hunter2@h/", "rtsp://u:xxxxx@h/"},
		{"rtsp://u:hunter%402@h/", "rtsp://u:hunter%402@h/", "rtsp://u:xxxxx@h/"},
		{"rtsp://u:p@hunter2@h/", "rtsp://u:p%40hunter2@h/", "rtsp://u:xxxxx@h/"},
		{"rtsp://:hunter2@h/", "rtsp://:hunter2@h/", "rtsp://:xxxxx@h/"},
		{"rtsp://u:${PW}@h/s", "rtsp://u:hunter2%2F%40%3A%3F%23%25@h/s", "rtsp://u:xxxxx@h/s"},
		{"rtsp://${USER}:${PW}@${HOST}:554/s", "rtsp://ad%20min:hunter2%2F%40%3A%3F%23%25@192.0.2.10:554/s", "rtsp://xxxxx:xxxxx@192.0.2.10:554/s"},
		{"rtsp://u:${file:/a/b}@h/s", "rtsp://u:hunter2@h/s", "rtsp://u:xxxxx@h/s"},
		{"rtsp://${file:/a/b}:x@h/s", "rtsp://hunter2:x@h/s", "rtsp://xxxxx:xxxxx@h/s"},
		{"rtsps://h:7441/${TOKEN}?enableSrtp", "rtsps://h:7441/t0ken?enableSrtp", "rtsps://h:7441/xxxxx?enableSrtp"},
		{"rtsp://h/user=admin&password=hunter2&channel=1", "rtsp://h/user=admin&password=hunter2&channel=1", "rtsp://h/user=admin&password=xxxxx&channel=1"},
		{"rtsp://h/s?user=a&Pwd=hunter2", "rtsp://h/s?user=a&Pwd=hunter2", "rtsp://h/s?user=a&Pwd=xxxxx"},
		{"${URL}", "rtsp://admin:hunter2@192.0.2.10/hunter2?k=hunter2", "rtsp://xxxxx@192.0.2.10/xxxxx"},
		{"${BASE}/s?key=${TOKEN}", "rtsp://192.0.2.10/s?key=t0ken", "rtsp://192.0.2.10/s?key=xxxxx"},
		{"rtsp://h/a$b", "rtsp://h/a$b", "rtsp://h/a$b"},
		{"rtsp://[2001:db8::1]:554/s", "rtsp://[2001:db8::1]:554/s", "rtsp://[2001:db8::1]:554/s"},
	}
	for _, tt := range tests {
		u, err := ParseURL(tt.template, testSecrets)
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		if u.Reveal() != tt.revealed {
			t.Errorf("%s reveals\n     %s\nwant %s", tt.template, u.Reveal(), tt.revealed)
		}
		if u.String() != tt.shown {
			t.Errorf("%s shows\n     %s\nwant %s", tt.template, u, tt.shown)
		}
	}
}

func TestParseURLMistakes(t *testing.T) {
	const (
		notURL = "not a URL; want one such as rtsp://user:${PASSWORD}@192.0.2.10/stream1, where / ? # @ % in a name or " +
			"password that stands in it are written %2F %3F %23 %40 %25"
		notRTSP = "not an RTSP URL; want one such as rtsp://192.0.2.10/stream1"
		noHost  = "a URL without a host; want one such as rtsp://192.0.2.10/stream1"
		lateAt  = "the @ comes after a / or ?; in a name or password want them written %2F %3F, in a path want the @ written %40"
		noName  = "a ${…} that names nothing; want ${NAME}, an environment variable, or ${file:/path}"
	)
	tests := []struct{ template, want string }{
		{"http://hunter2@h/", notRTSP},
		{"192.0.2.10", notRTSP},
		{"hunter2:x", notRTSP},
		{"rtsp:hunter2", noHost},
		{"rtsp:///hunter2", noHost},
		{"rtsp://u:hunter2@/s", noHost},
		{"rtsp://u:hunter2@:554/s", noHost},
		{"rtsp://u:hunter2/x@h/s", notURL},
		{"rtsp://u:hunter2?x@h/s", notURL},
		{"rtsp://u:hunter2#x@h/s", notURL},
		{"rtsp://u:hunter2%@h/s", notURL},
		{"rtsp://u:hunter2 x@h/s", notURL},
		{"rtsp://u:22/hunter2@h/s", lateAt},
		{"rtsp://u:22?hunter2@h/s", lateAt},
		{"rtsp://h/s#hunter2", "a # cannot stand in a URL; want %23 in its place"},
		{"rtsp://u:${hunter2@h/s", "${ without its }; want ${NAME} or ${file:/path}"},
		{"rtsp://u:${NOWHERE}@h/s", "environment variable NOWHERE is not set; set it, or use ${file:/path}"},
		{"rtsp://u:${EMPTY}@h/s", "environment variable EMPTY is empty; set it to the value"},
		{"rtsp://u:${hunter2-x}@h/s", noName},
		{"rtsp://u:${}@h/s", noName},
		{"rtsp://${PASSWORD}/s", notURL},
	}
	lookup := configReader{directory: "/", env: testVariables}.secret
	for _, tt := range tests {
		_, err := ParseURL(tt.template, lookup)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.template, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: the error tells the password: %v", tt.template, err)
		}
	}
}

// However a URL or what holds it is written, the password is not.
func TestURLHides(t *testing.T) {
	u := literalURL(t, "rtsp://u:hunter2@h/s")
	type unexported struct{ url URL }
	values := []any{u, &u, []URL{u}, map[string]URL{"a": u}, Stream{URL: u}, &Config{Cameras: []Camera{{Streams: []Stream{{URL: u}}}}}, unexported{u}, &unexported{u}}
	var written strings.Builder
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&written, verb+"\n", value)
		}
		marshalled, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		written.Write(marshalled)
		if marshalled, err = yaml.Marshal(value); err != nil {
			t.Fatal(err)
		}
		written.Write(marshalled)
		slog.New(slog.NewTextHandler(&written, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&written, nil)).Info("json", "value", value)
	}
	for _, secret := range []string{"hunter2", fmt.Sprintf("%x", "hunter2")} {
		if strings.Contains(written.String(), secret) {
			t.Errorf("%s in:\n%s", secret, written.String())
		}
	}
	if !strings.Contains(written.String(), "rtsp://u:xxxxx@h/s") {
		t.Errorf("the URL without its password is missing in:\n%s", written.String())
	}
	if same := literalURL(t, "rtsp://u:hunter2@h/s"); !u.Equal(same) || u.Equal(literalURL(t, "rtsp://u:hunter3@h/s")) || u.Equal(URL{}) || !(URL{}).Equal(URL{}) {
		t.Error("Equal does not compare what is hidden")
	}
	if got := (URL{}).Reveal(); got != "" {
		t.Errorf("the zero URL reveals %q", got)
	}
}

// FuzzParseURL puts a secret into every kind of place: whatever comes out, the secret does not.
func FuzzParseURL(f *testing.F) {
	f.Add("rtsp://u:${S}@h/s")
	f.Add("rtsp://${S}@h/${S}?${S}")
	f.Add("${S}")
	const secret = "hunter2hunter2"
	lookup := func(string) (string, error) { return "rtsp://u:" + secret + "@h/" + secret, nil }
	f.Fuzz(func(t *testing.T, template string) {
		u, err := ParseURL(template, lookup)
		if written := fmt.Sprintf("%v %v", u, err); strings.Contains(written, secret) && !strings.Contains(template, secret) {
			t.Errorf("%q: %s", template, written)
		}
	})
}
