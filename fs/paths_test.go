package fs

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nvrfs/playback"
	"nvrfs/web"
)

// oddPaths are good and odd paths below the root of the mount; none leaves it.
var oddPaths = []string{
	"", "/", ".", "./", "cam", "cam/", "cam//", "//cam", "cam/.", "cam/./", "cam/..", "cam/../cam.sub", "cam/../missing", "missing/../cam",
	"cam.sub", "cam.", "cam%2f", "CAM", " cam", "cam ", "cam\n", "cam\xff", "cam\\", "c?m", "*",
	"cam/2026-11-20", "cam/2026-11-20/", "cam/2026-11-20.mp4", "cam/2026-11-20.mp4/", "cam/2026-11-21", "cam/2026-11-20T", "cam/20261120", "cam/2026-11-31",
	"cam/2026-11-20/13", "cam/2026-11-20/13/", "cam/2026-11-20/15", "cam/2026-11-20/1", "cam/2026-11-20/013", "cam/2026-11-20/24",
	"cam/2026-11-20/13/../14", "cam/2026-11-20/../2026-11-20/13/",
	anHour, anHour + "/", anHour + "/.", anHour + "/..", anHour + "/../cam_2026-11-20_13-58-00.mp4", anHour + "/x", anHour + ".json", anHour + "x",
	"cam//2026-11-20//13/./cam_2026-11-20_13-58-00.mp4", "cam/2026-11-20/14/cam_2026-11-20_13-58-00.mp4", "cam.sub/2026-11-20/13/cam_2026-11-20_13-58-00.mp4",
	"cam.sub/2026-11-20/13/cam.sub_2026-11-20_13-58-00.mp4",
	".nvrfs", ".nvrfs/", ".nvrfs/README.txt", ".nvrfs/README.txt/", ".nvrfs/readme.txt", ".nvrfs/status.json", ".nvrfs/live", ".nvrfs/../cam", ".nvrfs/x/..",
	".nvrfs/clips", ".nvrfs/clips/cam", ".nvrfs/clips/x", ".nvrfs/clips/cam/2026-11-20_13-59-10--14-01-00.mp4", ".nvrfs/clips/cam/2026-11-20_13-59-10--14-01-00.mp4/",
	".nvrfs/clips/cam/2026-11-20_13-59-10--14-01-00", ".nvrfs/clips/cam/2026-11-20_15-00-00--16-00-00.mp4", ".nvrfs/clips/cam/2026-11-20_14-00-00--13-00-00.mp4",
	".nvrfs/clips/cam/2020-11-20_14-00-00--2026-11-20_14-01-00.mp4", ".nvrfs/clips/cam.sub/2026-11-20_13-58-10+0000--13-58-20+0000.mp4",
	".nvrfs/days", ".nvrfs/days/cam/2026-11-20.mp4", ".nvrfs/days/cam/2026-11-20", ".nvrfs/days/cam/2026-11-20.mp4/", ".nvrfs/days/cam/2026-11-21.mp4",
	".nvrfs/days/cam.sub/2026-11-20.mp4", ".nvrfs/info", ".nvrfs/info/cam/2026-11-20/13", ".nvrfs/info/" + anHour + ".json", ".nvrfs/info/" + anHour,
	".nvrfs/info/" + anHour + ".json/", ".nvrfs/info/cam.sub/2026-11-20/13/cam.sub_2026-11-20_13-58-00.mp4.json",
	strings.Repeat("x", 255), strings.Repeat("x", 256), "cam/" + strings.Repeat("x", 5000), strings.Repeat("cam/../", 700), strings.Repeat("./", 100) + "cam",
}

// found is what a path leads to.
type found struct {
	kind  string // "directory", "file" or "nothing"
	bytes []byte
}

// atPath says what a path leads to in the mount.
func (f *fixture) atPath(t *testing.T, path string) found {
	t.Helper()
	full := f.mnt + "/" + path // which filepath.Join would clean
	var st unix.Stat_t
	err := unix.Stat(full, &st)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.EINVAL):
		return found{kind: "nothing"}
	case err != nil:
		t.Fatalf("%.100q: %v", path, err)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return found{kind: "directory"}
	}
	b, err := os.ReadFile(full)
	if err != nil {
		t.Fatalf("%.100q: %v", path, err)
	}
	return found{"file", b}
}

// overHTTP says what a path leads to over HTTP, where a shorter path may be told once.
func overHTTP(t *testing.T, h http.Handler, path string) found {
	t.Helper()
	names := strings.Split(path, "/")
	for i := range names {
		names[i] = url.PathEscape(names[i])
	}
	where := "/footage/" + strings.Join(names, "/")
	for range 2 {
		r, w := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+where, nil), httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			if strings.HasSuffix(where, "/") {
				return found{kind: "directory"}
			}
			b, err := io.ReadAll(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			return found{"file", b}
		case http.StatusNotFound:
			return found{kind: "nothing"}
		case http.StatusTemporaryRedirect:
			where = w.Header().Get("Location")
		default:
			t.Fatalf("%.100q: status %d", path, w.Code)
		}
	}
	t.Fatalf("%.100q leads to %s, and that further", path, where)
	return found{}
}

// TestSamePathsByMountAndHTTP: a path leads to the same directory, file, or to nothing, in the mount and over HTTP.
func TestSamePathsByMountAndHTTP(t *testing.T) {
	for name, sees := range map[string]func(playback.Stream) bool{
		"everything": nil,
		"one stream": func(s playback.Stream) bool { return s.Label == "cam" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, fixtureOptions{cameras: oneDay(), sees: sees})
			h := web.NewHandler(f.view, slog.New(slog.DiscardHandler))
			paths := append([]string{}, oddPaths...)
			for _, root := range []string{"", ".nvrfs/"} {
				for _, path := range walk(t, f.path(root)) {
					paths = append(paths, root+path)
				}
			}
			count := map[string]int{}
			for _, path := range paths {
				mounted, served := f.atPath(t, path), overHTTP(t, h, path)
				count[mounted.kind]++
				if mounted.kind != served.kind {
					t.Errorf("%.100q: in the mount it is a %s, over HTTP a %s", path, mounted.kind, served.kind)
				} else if !bytes.Equal(mounted.bytes, served.bytes) && !strings.HasSuffix(path, "status.json") {
					t.Errorf("%.100q: other bytes", path)
				}
				if sees != nil && mounted.kind != "nothing" && strings.Contains(path, "cam.sub") && !strings.Contains(path, "..") {
					t.Errorf("%q is seen", path)
				}
			}
			if count["directory"] < 20 || count["file"] < 10 || count["nothing"] < 30 {
				t.Errorf("the paths are too much alike: %v", count)
			}
			if f.log.String() != "" {
				t.Errorf("it logged %s", f.log)
			}
		})
	}
}
