package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/web"
)

// library opens ten minutes of footage from 2026-11-20 14:00 UTC of each camera.
func library(t *testing.T, cameras ...string) *playback.Library {
	t.Helper()
	data := t.TempDir()
	for _, name := range cameras {
		err := footage.Make(t.Context(), data, footage.Camera{
			Name: name, Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 10 * time.Minute, Tiny: true,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lib, err := playback.Open(t.Context(), playback.Options{
		Data: data, Location: time.UTC, Version: "v1.2.3", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	return lib
}

// serve serves a view.
func serve(t *testing.T, view *playback.View) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(web.NewHandler(view, slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return s
}

// start serves the footage of a camera.
func start(t *testing.T) (*playback.View, *httptest.Server) {
	t.Helper()
	view := library(t, "front-door").View(nil)
	return view, serve(t, view)
}

func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

const entry = "/footage/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4"

func TestListings(t *testing.T) {
	_, s := start(t)
	for path, want := range map[string]string{
		"/footage/":                                      "front-door/",
		"/footage/front-door/":                           "2026-11-20/",
		"/footage/front-door/2026-11-20/":                "14/",
		"/footage/front-door/2026-11-20/14/":             filepath.Base(entry),
		"/footage/.nvrfs/days/front-door/":               "2026-11-20.mp4",
		"/footage/.nvrfs/info/front-door/2026-11-20/14/": filepath.Base(entry) + ".json",
	} {
		res, body := get(t, s.URL+path)
		if res.StatusCode != 200 || !strings.Contains(string(body), `href="`+want+`"`) {
			t.Errorf("%s: %s without a link to %s:\n%s", path, res.Status, want, body)
		}
		res, body = get(t, s.URL+path, "Accept", "application/json")
		var items []struct {
			Name string
			Size int64
		}
		if err := json.Unmarshal(body, &items); err != nil || len(items) != 1 || items[0].Name != want {
			t.Errorf("%s as JSON: %s, %v: %s", path, res.Status, err, body)
		}
	}
}

func TestEntryIsThatOfTheLibrary(t *testing.T) {
	view, s := start(t)
	whole := content(t, view)
	res, body := get(t, s.URL+entry)
	if res.StatusCode != 200 || !bytes.Equal(body, whole) {
		t.Fatalf("%s with %d bytes, not the %d of the entry", res.Status, len(body), len(whole))
	}
	if res.Header.Get("Content-Type") != "video/mp4" || res.Header.Get("Last-Modified") != "Fri, 20 Nov 2026 14:10:00 GMT" {
		t.Errorf("header: %v", res.Header)
	}
	etag := res.Header.Get("ETag")
	res, body = get(t, s.URL+entry, "Range", "bytes=1000-1999", "If-Range", etag)
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(body, whole[1000:2000]) {
		t.Errorf("a range: %s with %d bytes", res.Status, len(body))
	}
	if res, _ = get(t, s.URL+entry, "If-None-Match", etag); res.StatusCode != http.StatusNotModified {
		t.Errorf("the same ETag: %s", res.Status)
	}
}

// content reads the entry of the hour from the library.
func content(t *testing.T, view *playback.View) []byte {
	t.Helper()
	n, _, err := view.Resolve(t.Context(), strings.TrimPrefix(entry, "/footage"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := view.Open(t.Context(), n.Entry, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func TestPaths(t *testing.T) {
	_, s := start(t)
	for path, want := range map[string]int{
		"/": 200, "/healthz": 200, "/readyz": 200, "/footage/": 200,
		"/footage/.nvrfs/README.txt":                                         200,
		"/footage/.nvrfs/status.json":                                        200,
		"/footage/.nvrfs/clips/front-door/":                                  200,
		"/footage/.nvrfs/clips/front-door/2026-11-20_14-03-10--14-05-00.mp4": 200,
		"/footage/.nvrfs/days/front-door/2026-11-20.mp4":                     200,
		"/footage/.nvrfs/clips/front-door/2026-11-20_15-03-10--15-05-00.mp4": 404, // nothing then
		"/footage/.nvrfs/clips/front-door/yesterday.mp4":                     404,
		"/footage/.nvrfs/days/front-door/2026-11-20":                         404,
		"/footage/.nvrfs/days/front-door/2026-11-21.mp4":                     404,
		"/footage/back-door/":                                                404,
		"/footage/front-door/2026-11-21/":                                    404,
		"/footage/front-door/2026-11-20/15/":                                 404,
		"/footage/front-door/2026-11-20/14/x":                                404,
		"/footage/front-door/2026-11-20.mp4/":                                404,
		entry + "/":                                                          404,
		"/footage/front-door%2f2026-11-20/":                                  404,
		"/footage/front-door/2026-11-20%2F14/":                               404,
		"/footage/front-door%00/":                                            404,
		"/footage/../front-door/":                                            404,
		"/footage/front-door/../../etc/":                                     404,
		"/footage/%2e%2e/%2e%2e/etc/passwd":                                  404,
		"/footage/..%2f..%2fetc/passwd":                                      404,
		"/footage/" + strings.Repeat("x", 300):                               404,
		"/footage/" + strings.Repeat("x/", 10000):                            404,
		"/footages/": 404, "/footage.json": 404, "/Footage/": 404,
		"/healthz/": 404, "/api/v1/": 404, "/live/": 404, "/dav/": 404, "/metrics": 404, "/etc/passwd": 404, "/%2e%2e/etc/passwd": 404,
	} {
		if res, _ := get(t, s.URL+path); res.StatusCode != want {
			t.Errorf("%.100s: %s, want %d", path, res.Status, want)
		}
	}
}

// Where there is a shorter path, the client is sent there, and nowhere else.
func TestRedirects(t *testing.T) {
	_, s := start(t)
	for path, want := range map[string]string{
		"/footage":                                      "/footage/",
		"//footage//":                                   "/footage/",
		"/footage/front-door":                           "/footage/front-door/",
		"/footage/front-door?a=b":                       "/footage/front-door/?a=b",
		"/footage//front-door///2026-11-20":             "/footage/front-door/2026-11-20/",
		"/footage/front-door/./2026-11-20/../":          "/footage/front-door/",
		"/footage/front-door/%2e%2e/front-door/":        "/footage/front-door/",
		"/footage//evil.example/../front-door/":         "", // evil.example is not there
		"/footage/front-door/..//front-door":            "/footage/front-door/",
		"/footage/%66ront-door":                         "/footage/front-door/",
		"/footage/.nvrfs/":                              "",
		strings.Replace(entry, "/14/", "//14//", 1):     entry,
		strings.Replace(entry, "/14/", "/14/./", 1):     entry,
		strings.Replace(entry, "front-", "%66ront-", 1): "",
	} {
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Location"); got != want || (want != "") != (res.StatusCode == http.StatusTemporaryRedirect) {
			t.Errorf("%s: %s to %q, want %q", path, res.Status, got, want)
		}
	}
}

// Footage was at the root once: what is asked for there tells where it is now, and everything else what there is.
func TestPathsOfOnce(t *testing.T) {
	lib := library(t, "front-door", "secret")
	s := serve(t, lib.View(func(s playback.Stream) bool { return s.Camera != "secret" }))
	const nothing = "The footage is below /footage/"
	for path, want := range map[string]string{
		"/front-door/": "below /footage/ now: /footage/front-door/",
		"/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4": "now: " + entry,
		"/.nvrfs/days/front-door/2026-11-20.mp4":                       "now: /footage/.nvrfs/days/front-door/2026-11-20.mp4",
		"/secret/":                                                     nothing,
		"/secret/2026-11-20/":                                          nothing,
		"/api/v1/cameras":                                              nothing,
		"/live/front-door":                                             nothing,
		"/dav/front-door":                                              nothing,
		"/front-door/" + strings.Repeat("x", 10000):                    nothing,
		"/front-door%2fx":                                              nothing,
		"/front-door/<script>":                                         "now: /footage/front-door/%3Cscript%3E",
		"/footage/secret/":                                             "There is no such footage.",
	} {
		res, body := get(t, s.URL+path)
		if res.StatusCode != 404 || !strings.Contains(string(body), want) || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%.100s: %s, %s: %.200s", path, res.Status, res.Header, body)
		}
	}
}

func TestIndex(t *testing.T) {
	_, s := start(t)
	res, body := get(t, s.URL+"/")
	if !strings.Contains(string(body), "v1.2.3") || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v: %s", res.Header, body)
	}
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(string(body), -1)
	for _, link := range links {
		if res, _ := get(t, s.URL+link[1]); res.StatusCode != 200 {
			t.Errorf("its link to %s: %s", link[1], res.Status)
		}
	}
	if len(links) == 0 || links[0][1] != "/footage/" {
		t.Errorf("it links to %v", links)
	}
}

func TestTexts(t *testing.T) {
	view, s := start(t)
	for path, contentType := range map[string]string{
		"/.nvrfs/README.txt": "text/plain; charset=utf-8",
		"/.nvrfs/info/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4.json": "application/json",
		"/.nvrfs/status.json": "application/json",
	} {
		n, _, err := view.Resolve(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		res, body := get(t, s.URL+"/footage"+path)
		if res.Header.Get("Content-Type") != contentType || len(body) == 0 {
			t.Errorf("%s: %v", path, res.Header)
		}
		if n.Text.Changes { // it may be another by now
			continue
		}
		if etag := `"` + n.Text.ETag() + `"`; !bytes.Equal(body, n.Text.Bytes) || res.Header.Get("ETag") != etag {
			t.Errorf("%s: ETag %s, want %s, %s", path, res.Header.Get("ETag"), etag, body)
		}
		if res, _ := get(t, s.URL+"/footage"+path, "If-None-Match", res.Header.Get("ETag")); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s: the same ETag: %s", path, res.Status)
		}
	}
}

func TestMethods(t *testing.T) {
	_, s := start(t)
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "PROPFIND"} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+entry, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case method != "HEAD":
			if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: %s, %v", method, res.Status, res.Header)
			}
		case res.StatusCode != 200 || len(body) > 0 || res.ContentLength < 1000 || res.Header.Get("ETag") == "":
			t.Errorf("HEAD: %s, %v", res.Status, res.Header)
		}
	}
}

// TestViewOfOneCamera: whoever may not see a camera learns nothing of it, though he knows the ETag of an entry.
func TestViewOfOneCamera(t *testing.T) {
	lib := library(t, "front-door", "secret")
	all := serve(t, lib.View(nil))
	one := serve(t, lib.View(func(s playback.Stream) bool { return s.Camera != "secret" }))
	secret := strings.ReplaceAll(entry, "front-door", "secret")
	known, _ := get(t, all.URL+secret)
	etag := known.Header.Get("ETag")
	for _, path := range []string{
		secret, "/footage/secret/", "/footage/secret", "/footage/secret/2026-11-20/", "/footage/.nvrfs/days/secret/2026-11-20.mp4",
		"/footage/.nvrfs/clips/secret/2026-11-20_14-03-10--14-05-00.mp4", "/footage/.nvrfs/clips/secret/", "/footage/.nvrfs/info" + strings.TrimPrefix(secret, "/footage") + ".json",
		"/footage/front-door/../secret/",
	} {
		if res, _ := get(t, all.URL+path); res.StatusCode != 200 {
			t.Errorf("%s is not there for those who see everything: %s", path, res.Status)
		}
		missing, text := get(t, one.URL+"/footage/missing/")
		for _, header := range [][]string{nil, {"If-None-Match", etag}, {"If-None-Match", "*"}, {"Range", "bytes=0-10", "If-Range", etag}} {
			res, body := get(t, one.URL+path, header...)
			if res.StatusCode != 404 || !bytes.Equal(body, text) || len(res.Header) != len(missing.Header) {
				t.Errorf("%s, %v: %s, %v, %s", path, header, res.Status, res.Header, body)
			}
		}
	}
	for _, path := range []string{"/footage/", "/footage/.nvrfs/clips/", "/footage/.nvrfs/days/", "/footage/.nvrfs/info/", "/footage/.nvrfs/status.json"} {
		if _, body := get(t, one.URL+path); strings.Contains(string(body), "secret") || !strings.Contains(string(body), "front-door") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// What is wrong inside stays there.
func TestErrorsTellNothing(t *testing.T) {
	lib := library(t, "front-door")
	s := serve(t, lib.View(nil))
	if err := lib.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, entry: 500, "/footage/": 500} {
		res, body := get(t, s.URL+path)
		if res.StatusCode != want || bytes.Contains(body, []byte("sql")) || bytes.Contains(body, []byte("closed")) {
			t.Errorf("%s: %s: %s", path, res.Status, body)
		}
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	_, s := start(t)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8090": 200, "127.0.0.1": 200, "[::1]:80": 200, "192.0.2.1:80": 200,
		"footage.example": 421, "localhost.example:80": 421,
	} {
		if res, _ := get(t, s.URL+"/", "Host", host); res.StatusCode != want {
			t.Errorf("Host %s: %s, want %d", host, res.Status, want)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, l, http.NotFoundHandler()) }()
	get(t, "http://"+l.Addr().String()+"/")
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
}
