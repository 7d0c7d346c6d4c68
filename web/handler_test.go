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
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
	"nvrfs/web"
)

// start serves ten minutes of footage from 2026-11-20 14:00 UTC.
func start(t *testing.T) (*playback.Library, *httptest.Server) {
	t.Helper()
	data := t.TempDir()
	err := footage.Make(t.Context(), data, footage.Camera{
		Name: "front-door", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Duration: 10 * time.Minute, Tiny: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	lib, err := playback.Open(t.Context(), playback.Options{Data: data, Location: time.UTC, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lib.Close() })
	s := httptest.NewServer(web.NewHandler(lib, log))
	t.Cleanup(s.Close)
	return lib, s
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

const entry = "/front-door/2026-11-20/14/front-door_2026-11-20_14-00-00.mp4"

func TestListings(t *testing.T) {
	_, s := start(t)
	for path, want := range map[string]string{
		"/":                          "front-door/",
		"/front-door/":               "2026-11-20/",
		"/front-door/2026-11-20/":    "14/",
		"/front-door/2026-11-20/14/": filepath.Base(entry),
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
	lib, s := start(t)
	stream, err := lib.Stream(t.Context(), "front-door")
	if err != nil {
		t.Fatal(err)
	}
	whole := clip(t, lib, stream)
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

// clip reads the entry of the hour from the library.
func clip(t *testing.T, lib *playback.Library, s playback.Stream) []byte {
	t.Helper()
	days, err := lib.Days(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	hours, err := lib.Hours(t.Context(), s, days[0])
	if err != nil {
		t.Fatal(err)
	}
	entries, err := lib.Entries(t.Context(), s, hours[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := lib.Open(t.Context(), entries[0], "test")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func TestViews(t *testing.T) {
	_, s := start(t)
	for path, want := range map[string]int{
		"/.nvrfs/clips/front-door/2026-11-20_14-03-10--14-05-00.mp4": 200,
		"/.nvrfs/days/front-door/2026-11-20.mp4":                     200,
		"/.nvrfs/clips/front-door/2026-11-20_15-03-10--15-05-00.mp4": 404, // nothing then
		"/.nvrfs/clips/front-door/yesterday.mp4":                     404,
		"/.nvrfs/days/front-door/2026-11-20":                         404,
		"/.nvrfs/days/front-door/2026-11-21.mp4":                     404,
		"/back-door/":                                                404,
		"/front-door/2026-11-21/":                                    404,
		"/front-door/2026-11-20/15/":                                 404,
		"/front-door/2026-11-20/14/x":                                404,
		"/front-door/../../etc/":                                     404,
	} {
		if res, _ := get(t, s.URL+path); res.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, res.Status, want)
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
