package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestURL(t *testing.T) {
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
		if got := URL(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestText(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))
	tests := []struct{ in, want string }{
		{"", ""},
		{"no URL: a@b", "no URL: a@b"},
		{"rtsp://h:554/s", "rtsp://h:554/s"},
		{"dial rtsp://u:p@h/s: refused", "dial rtsp://u:xxxxx@h/s: refused"},
		{`parse "rtsps://u:p/q@r@h/s"`, `parse "rtsps://u:xxxxx@h/s"`},
		{"a rtsp://u:p@h and rtsp://v:q@i", "a rtsp://u:xxxxx@h and rtsp://v:xxxxx@i"},
		{"http://:p@h", "http://:xxxxx@h"},
		{"?user=u&password=p&x=1 PWD=q", "?user=u&password=xxxxx&x=1 PWD=xxxxx"},
		{"bypass=1 passage=2", "bypass=1 passage=2"},
		{"Authorization: Basic " + basic + "\r\n", "Authorization: Basic xxxxx\r\n"},
		{`you sent "basic ` + strings.TrimRight(basic, "=") + `"`, `you sent "basic xxxxx"`},
		{"the camera wants basic authentication", "the camera wants basic authentication"},
		{"Basic realm=\"x\"", "Basic realm=\"x\""},
		{`Digest username="admin", response="0123456789abcdef0123456789abcdef"`, `Digest username="admin", response="0123456789abcdef0123456789abcdef"`},
	}
	for _, tt := range tests {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestError(t *testing.T) {
	raw := "rtsp://user:p%40ss%21w@192.0.2.10/live?token=abc"
	invalid := strings.Join([]string{"rtsp://user:p@ss!w@192.0.2.10", "port/"}, ":") // which vet would notice whole
	_, parseErr := url.Parse(invalid)
	s := Of(raw)
	for _, msg := range []string{"p%40ss%21w", "p@ss!w", url.UserPassword("user", "p@ss!w").String(), "?token=abc", "the token is abc", parseErr.Error()} {
		err := s.Error(errors.Join(io.EOF, errors.New("dial "+msg)))
		for _, secret := range []string{"ss!w", "ss%21w", "abc"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q still holds %s", err, secret)
			}
		}
		if !errors.Is(err, io.EOF) || errors.Unwrap(err) != nil {
			t.Errorf("%v is io.EOF: %v, and gives out %v", err, errors.Is(err, io.EOF), errors.Unwrap(err))
		}
	}
	if err := s.Error(io.EOF); err != io.EOF {
		t.Errorf("an error without secrets became %v", err)
	}
	if err := s.Error(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	if got := Of("rtsp://192.0.2.10/live").Hide("dial rtsp://192.0.2.10/live"); got != "dial rtsp://192.0.2.10/live" {
		t.Errorf("where there is no secret: %s", got)
	}
}

// encodings are the forms in which a server may send back what it was sent.
func encodings(user, password string) map[string]string {
	both := user + ":" + password
	quoted, _ := json.Marshal(password)
	all := map[string]string{
		"plain": password, "path": url.PathEscape(password), "query": url.QueryEscape(password), "user info": url.UserPassword(user, password).String(),
		"json": string(quoted), "go": fmt.Sprintf("%q", password), "ascii": fmt.Sprintf("%+q", password), "html": html.EscapeString(password),
		"hex": hex.EncodeToString([]byte(both)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(both))),
	}
	all["lower case"] = strings.ToLower(url.QueryEscape(strings.ToLower(password)))
	every := ""
	for _, c := range []byte(password) {
		every += fmt.Sprintf("%%%02X", c)
	}
	all["all percent"] = every
	for name, e := range map[string]*base64.Encoding{"std": base64.StdEncoding, "raw std": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding} {
		all[name] = e.EncodeToString([]byte(both))
		all[name+", a header"] = "Basic " + e.EncodeToString([]byte(both))
		for _, before := range []string{"a", "ab", "abc", "Authorization: Basic "} {
			for _, behind := range []string{"", "z", "zz", "\r\n"} {
				all[fmt.Sprintf("%s between %q and %q", name, before, behind)] = e.EncodeToString([]byte(before + both + behind))
			}
		}
		inJSON, _ := json.Marshal(e.EncodeToString([]byte(both)))
		all[name+" in JSON"] = string(inJSON)
		all[name+" in JSON of PHP"] = strings.ReplaceAll(string(inJSON), "/", `\/`)
		all[name+" in a percent-encoding"] = url.QueryEscape(e.EncodeToString([]byte(both)))
	}
	return all
}

// TestSecretsInEveryEncoding hides passwords, random ones too, however they come back.
func TestSecretsInEveryEncoding(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	passwords := []string{"hunter2", "p@ss w/rd%25", `a"b\c'<&>d`, "grüße+€", "====", "~~~~????>>>>", "0000"}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ é"
	for range 50 {
		var b strings.Builder
		for range 4 + rnd.IntN(20) {
			r := []rune(letters)
			b.WriteRune(r[rnd.IntN(len(r))])
		}
		passwords = append(passwords, b.String())
	}
	for _, password := range passwords {
		s := Of((&url.URL{Scheme: "rtsp", User: url.UserPassword("admin", password), Host: "192.0.2.10", Path: "/live"}).String())
		for name, form := range encodings("admin", password) {
			if name == "lower case" && password != strings.ToLower(password) {
				continue // another password
			}
			got := s.Hide("the server says: " + form + " is wrong")
			if strings.Contains(got, form) || !strings.Contains(got, Hidden) {
				t.Errorf("%s, of %q: %s", name, password, got)
			}
			if !strings.HasSuffix(got, " is wrong") {
				t.Errorf("%s, of %q: more is hidden than that: %s", name, password, got)
			}
		}
	}
}

// A short password is hidden where it stands with its user name, and innocent words stay.
func TestShortPassword(t *testing.T) {
	s := Of("rtsp://admin:x1@192.0.2.10/live")
	header := base64.StdEncoding.EncodeToString([]byte("admin:x1"))
	if got := s.Hide("Basic " + header + ": x1"); got != "Basic xxxxx: xxxxx" {
		t.Error(got)
	}
	const innocent = `connection refused by 0123456789abcdef0123456789abcdef, response="d41d8cd98f00b204e9800998ecf8427e"`
	if got := s.Hide(innocent); got != innocent {
		t.Error(got)
	}
}

func TestLogger(t *testing.T) {
	var b strings.Builder
	header := base64.StdEncoding.EncodeToString([]byte("admin:hunter2"))
	log := Of("rtsp://admin:hunter2@192.0.2.10/live").Logger(slog.New(slog.NewTextHandler(&b, nil)))
	log.With("with", header).WithGroup("g").Info("it says "+header, "err", errors.New(header), "text", "hunter2", "n", 7)
	if got := b.String(); strings.Contains(got, "hunter2") || strings.Contains(got, header) || strings.Count(got, Hidden) != 4 || !strings.Contains(got, "g.n=7") {
		t.Error(got)
	}
}

// FuzzHide: whatever the URL and the text, Hide ends, and what it hides is hidden.
func FuzzHide(f *testing.F) {
	f.Add("rtsp://u:hunter2@h/s?token=abc", "Basic dTpodW50ZXIy")
	f.Add("\xff://\xff:\xfe@", "\xfe")
	f.Fuzz(func(t *testing.T, rawURL, text string) {
		s := Of(rawURL)
		_ = Text(s.Hide(text))
	})
}
