package playback_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/footage"
	"nvrfs/playback"
)

// twoCameras is a library with footage of cam and of secret, and what each view of it has.
func twoCameras(t *testing.T) (lib *playback.Library, all, one *playback.View) {
	t.Helper()
	dir, start := t.TempDir(), time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	err := footage.Make(t.Context(), dir,
		footage.Camera{Name: "cam", Start: start, Duration: time.Minute, Tiny: true},
		footage.Camera{Name: "secret", Start: start, Duration: time.Minute, Tiny: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	lib = openLibrary(t, playback.Options{Data: dir, Location: time.UTC, Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	return lib, lib.View(nil), lib.View(func(s playback.Stream) bool { return s.Camera == "cam" })
}

// walkTree returns the paths of everything that is listed below a directory, and of .nvrfs.
func walkTree(t *testing.T, v *playback.View, d playback.Dir) (paths []string) {
	t.Helper()
	l, err := v.List(t.Context(), d)
	if err != nil {
		t.Fatalf("list %s/: %v", d.Path(), err)
	}
	var nodes []playback.Node
	for i := range l.N {
		nodes = append(nodes, l.At(i))
	}
	if d == playback.Root() {
		hidden, err := v.Find(t.Context(), d, ".nvrfs")
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, hidden)
	}
	for _, n := range nodes {
		if n.IsDir() {
			paths = append(append(paths, n.Dir.Path()+"/"), walkTree(t, v, n.Dir)...)
			continue
		}
		paths = append(paths, d.Path()+"/"+n.Name)
	}
	return paths
}

// TestViewOfOneCamera: the other camera does not exist for those who may not see it, whatever they know of it.
func TestViewOfOneCamera(t *testing.T) {
	_, all, one := twoCameras(t)
	ctx := t.Context()
	isSecret := func(path string) bool { return strings.Contains(path, "secret") }
	everything := walkTree(t, all, playback.Root())
	if want := slices.DeleteFunc(slices.Clone(everything), isSecret); !slices.Equal(walkTree(t, one, playback.Root()), want) {
		t.Errorf("it lists %q, want %q", walkTree(t, one, playback.Root()), want)
	}
	hidden := 0
	for _, path := range append(everything, "/.nvrfs/clips/secret/2026-11-20_14-00-10--14-00-20.mp4") {
		n, _, err := all.Resolve(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = one.Resolve(ctx, path)
		_, atErr := one.At(ctx, n.Ref())
		if !isSecret(path) {
			if err != nil || atErr != nil && n.Ref() != (playback.Ref{}) {
				t.Errorf("%s: %v, %v", path, err, atErr)
			}
			continue
		}
		hidden++
		if !errors.Is(err, playback.ErrNotFound) || !errors.Is(atErr, playback.ErrNotFound) && n.Ref() != (playback.Ref{}) {
			t.Errorf("%s: %v, by its Ref %v", path, err, atErr)
		}
		if _, _, err := one.Where(ctx, n.Ref()); err == nil {
			t.Errorf("%s: its path is told", path)
		}
		if n.IsDir() {
			if l, err := one.List(ctx, n.Dir); !errors.Is(err, playback.ErrNotFound) || l.N > 0 {
				t.Errorf("%s lists %d, %v", path, l.N, err)
			}
		}
		if n.Entry != nil {
			_, open := one.Open(ctx, n.Entry, "test")
			_, info := one.Info(ctx, n.Entry)
			if !errors.Is(open, playback.ErrNotFound) || !errors.Is(info, playback.ErrNotFound) {
				t.Errorf("%s: %v, %v", path, open, info)
			}
		}
	}
	if hidden < 10 {
		t.Errorf("only %d paths are of the other camera", hidden)
	}
	status, err := one.Find(ctx, playback.Root(), ".nvrfs")
	if err == nil {
		status, err = one.Find(ctx, status.Dir, "status.json")
	}
	if err != nil || strings.Contains(string(status.Text.Bytes), "secret") || !strings.Contains(string(status.Text.Bytes), `"cam"`) {
		t.Errorf("status.json: %v, %s", err, status.Text.Bytes)
	}
}

// TestViewRefusesStream asks every question about a stream that is not to be seen, as someone who has seen it before.
func TestViewRefusesStream(t *testing.T) {
	_, all, one := twoCameras(t)
	ctx, from := t.Context(), time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	s, err := all.Stream(ctx, "secret")
	if err != nil {
		t.Fatal(err)
	}
	days, err := all.Days(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	day := days[0]
	hours, err := all.Hours(ctx, s, day)
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(v *playback.View) error{
		"Stream":        func(v *playback.View) error { _, err := v.Stream(ctx, "secret"); return err },
		"StreamByID":    func(v *playback.View) error { _, err := v.StreamByID(ctx, s.ID()); return err },
		"Days":          func(v *playback.View) error { _, err := v.Days(ctx, s); return err },
		"Day":           func(v *playback.View) error { _, err := v.Day(ctx, s, day.Name); return err },
		"Hours":         func(v *playback.View) error { _, err := v.Hours(ctx, s, day); return err },
		"Hour":          func(v *playback.View) error { _, err := v.Hour(ctx, s, day, "14"); return err },
		"Entries":       func(v *playback.View) error { _, err := v.Entries(ctx, s, hours[0]); return err },
		"WholeDay":      func(v *playback.View) error { _, err := v.WholeDay(ctx, s, day); return err },
		"Clip":          func(v *playback.View) error { _, err := v.Clip(ctx, s, from, from.Add(time.Second)); return err },
		"RecordedSpans": func(v *playback.View) error { _, err := v.RecordedSpans(ctx, s, day.From90k, day.To90k); return err },
		"Runs":          func(v *playback.View) error { _, err := v.Runs(ctx, s, day.From90k, day.To90k); return err },
	} {
		if err := ask(all); err != nil {
			t.Errorf("%s where everything is seen: %v", name, err)
		}
		if err := ask(one); !errors.Is(err, playback.ErrNotFound) {
			t.Errorf("%s: %v, want %v", name, err, playback.ErrNotFound)
		}
	}
	sums, err := one.Summaries(ctx)
	if err != nil || len(sums) != 1 || sums[0].Label != "cam" {
		t.Errorf("summaries: %+v, %v", sums, err)
	}
}

// TestViewHearsOfItsStreams: nothing tells that there is news of the other camera.
func TestViewHearsOfItsStreams(t *testing.T) {
	dir := t.TempDir()
	cam := footage.Camera{Name: "cam", Start: time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC), Tiny: true}
	secret := cam
	secret.Name = "secret"
	growing := func(c footage.Camera) *footage.Grower {
		g, err := footage.NewGrower(t.Context(), dir, c)
		if err == nil {
			err = g.Grow(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := growing(secret)
	defer g.Close()
	lib := openLibrary(t, playback.Options{Data: dir, Location: time.UTC, Poll: time.Millisecond})
	one := lib.View(func(s playback.Stream) bool { return s.Camera == "cam" })
	heard := make(chan []playback.Change, 1000)
	defer one.Subscribe(func(c []playback.Change) { heard <- c })()
	everything := make(chan []playback.Change, 1000)
	defer lib.View(nil).Subscribe(func(c []playback.Change) { everything <- c })()
	run(t, lib)
	if err := g.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-everything
	h := growing(cam)
	defer h.Close()
	for _, c := range <-heard {
		if c.Stream.Label != "cam" {
			t.Errorf("it hears of %s", c.Stream.Label)
		}
	}
}

// TestResolve finds what odd paths lead to.
func TestResolve(t *testing.T) {
	_, all, _ := twoCameras(t)
	const entry = "cam/2026-11-20/14/cam_2026-11-20_14-00-00.mp4"
	long := strings.Repeat("x", 256)
	for path, want := range map[string]any{
		"":                             "/",
		"/":                            "/",
		"///":                          "/",
		".":                            "/",
		"cam":                          "/cam/",
		"/cam":                         "/cam/",
		"cam//2026-11-20/./14/":        "/cam/2026-11-20/14/",
		"cam/../secret":                "/secret/",
		"cam/2026-11-20/14/../../..":   "/",
		entry:                          "/" + entry,
		entry + "/":                    playback.ErrNotDir,
		entry + "/.":                   playback.ErrNotDir,
		entry + "/..":                  playback.ErrNotDir,
		entry + "/x":                   playback.ErrNotDir,
		".nvrfs/README.txt/":           playback.ErrNotDir,
		"..":                           playback.ErrNotFound,
		"cam/../..":                    playback.ErrNotFound,
		"missing/../cam":               playback.ErrNotFound,
		"cam\x00":                      playback.ErrNotFound,
		"cam/2026-11-20.mp4":           playback.ErrNotFound,
		".nvrfs/days/cam/2026-11-20":   playback.ErrNotFound,
		"cam/" + long:                  playback.ErrNotFound,
		strings.Repeat("./", 5000):     playback.ErrNotFound,
		".nvrfs/../.nvrfs/README.txt":  "/.nvrfs/README.txt",
		".nvrfs/info/cam/2026-11-20/.": "/.nvrfs/info/cam/2026-11-20/",
	} {
		_, canonical, err := all.Resolve(t.Context(), path)
		if wantErr, ok := want.(error); ok && !errors.Is(err, wantErr) || !ok && (err != nil || canonical != want) {
			t.Errorf("%.50q: %q, %v, want %v", path, canonical, err, want)
		}
	}
}
