package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nvrfs/integration/footage"
)

// exportOnce exports footage to files and to standard output, and has it refused to overwrite.
func exportOnce(t *testing.T, s site, label string) {
	span := s.spans(t, label)[0]
	args := []string{"export", "--data", s.data, label, span.Start.Format(time.RFC3339Nano), span.End.Format(time.RFC3339Nano)}
	dir := tempDir(t)
	here := func(more ...string) result {
		cmd := nvrfs(append(args, more...)...)
		cmd.Dir = dir
		return run(t, cmd)
	}

	if r := here(); r.code != 0 || !strings.Contains(r.stderr, label+" from ") {
		t.Fatal(r)
	}
	named := onlyFile(t, dir)
	if name := filepath.Base(named); !strings.HasPrefix(name, label+"_") {
		t.Errorf("the default name is %s", name)
	}
	checkFile(t, named)
	whole := readFile(t, named)

	piped := here("-o", "-")
	if diff := firstDifference([]byte(piped.stdout), whole); piped.code != 0 || diff != "" {
		t.Errorf("export to standard output: exit code %d, %s\n%s", piped.code, diff, piped.stderr)
	}

	writeFile(t, named, "mine")
	if r := here(); r.code != 2 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "--force") {
		t.Error(r)
	}
	if kept := readFile(t, named); string(kept) != "mine" {
		t.Errorf("it was overwritten: %d bytes", len(kept))
	}
	if r := here("--force"); r.code != 0 {
		t.Error(r)
	}
	if diff := firstDifference(readFile(t, named), whole); diff != "" {
		t.Errorf("export --force: %s", diff)
	}
	onlyFile(t, dir)

	args[4], args[5] = "2001-01-01", "2001-01-02"
	if r := here("-o", "none.mp4"); r.code != 1 || !strings.Contains(r.stderr, "no footage") {
		t.Error(r)
	}
	onlyFile(t, dir)
}

// onlyFile returns the one file in a directory.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %v, %v; want one file", dir, names, err)
	}
	return filepath.Join(dir, names[0].Name())
}

// TestExportInterrupted interrupts an export of some hundred megabytes: nothing is left behind.
func TestExportInterrupted(t *testing.T) {
	t.Parallel()
	data := tempDir(t)
	makeFootage(t, data, footage.Camera{
		Name: "cam", Start: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Duration: 4 * time.Hour, RecordingLength: 10 * time.Minute,
	})
	dir := tempDir(t)
	p := launch(t, nvrfs("export", "--data", data, "-o", filepath.Join(dir, "out.mp4"), "cam", "2026-06-01", "2026-06-02"))
	waitFor(t, 20*time.Second, "a file being written", func() bool {
		names, err := os.ReadDir(dir)
		return err == nil && len(names) == 1
	})
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.await(t, stopDeadline)
	if code := p.cmd.ProcessState.ExitCode(); code != 130 || p.stderr.String() != "nvrfs: interrupted\n" {
		t.Errorf("%v, want exit code 130\n%s", p.cmd.ProcessState, &p.stderr)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// makeFootage makes footage without a camera.
func makeFootage(t *testing.T, data string, cameras ...footage.Camera) {
	t.Helper()
	if err := footage.Make(t.Context(), data, cameras...); err != nil {
		t.Fatal(err)
	}
}
