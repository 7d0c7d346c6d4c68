package integration

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
)

// TestHTTP compares what is served over HTTP with what is mounted.
func TestHTTP(t *testing.T) {
	needMounts(t)
	t.Parallel()
	s := newSite(t, "timezone: UTC\nhttp: { listen: '127.0.0.1:0' }\ncameras: { cam: { url: rtsp://127.0.0.1:9/none } }\n")
	from := time.Date(2026, 6, 1, 12, 59, 0, 0, time.UTC)
	makeFootage(t, s.data, footage.Camera{Name: "cam", Start: from, Duration: 2 * time.Minute})
	p := s.record(t)
	root := servedAt(t, p, "serving HTTP")
	for _, path := range []string{
		"cam/2026-06-01/12/cam_2026-06-01_12-59-00.mp4",
		"cam/2026-06-01/13/cam_2026-06-01_13-00-00.mp4",
		".nvrfs/days/cam/2026-06-01.mp4",
		".nvrfs/clips/cam/2026-06-01_12-59-30--13-00-30.mp4",
	} {
		mounted := filepath.Join(s.mnt, path)
		checkBoxes(t, mounted)
		want := readFile(t, mounted)
		if got := get(t, root+path, ""); firstDifference(got, want) != "" {
			t.Errorf("%s: %s", path, firstDifference(got, want))
		}
		if got := get(t, root+path, "bytes=100000-200000"); firstDifference(got, want[100000:200001]) != "" {
			t.Errorf("a range of %s: %s", path, firstDifference(got, want[100000:200001]))
		}
	}
	if page := string(get(t, root+"cam/2026-06-01/12/", "")); !strings.Contains(page, "cam_2026-06-01_12-59-00.mp4") {
		t.Errorf("the listing of the hour is %s", page)
	}
	s.stopUnmounted(t, p)
}

// servedAt returns the URL of what a process says it serves.
func servedAt(t *testing.T, p *process, what string) string {
	t.Helper()
	url := regexp.MustCompile(`"msg":"` + what + `","url":"(http://[^"]*/)"`).FindStringSubmatch(p.stderr.String())
	if url == nil {
		t.Fatalf("there is no URL in %s", &p.stderr)
	}
	return url[1]
}

// get returns what is at a URL, or a range of it.
func get(t *testing.T, url, byteRange string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := http.StatusOK
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
		want = http.StatusPartialContent
	}
	client := http.Client{Timeout: patience * 30 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("GET %s: %s, %v", url, response.Status, err)
	}
	return body
}
