package integration

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A crowd is a process with as many cameras as are asked for. They all play one clip in a loop, each reader from its first frame on,
// over TCP, and it counts what it sends: see bench/cameras.
type crowd struct {
	url string // to which any path may be added
	in  io.Writer
	out *bufio.Reader
}

// A sending is what a camera sent to one reader.
type sending struct {
	Path  string
	Video int  // frames
	Over  bool // the reader has gone
}

func startCrowd(t *testing.T, clip string) *crowd {
	t.Helper()
	program := filepath.Join(tempDir(t), "cameras")
	mustRun(t, command("go", "build", "-buildvcs=false", "-o", program, "nvrfs/bench/cameras"))
	cmd := exec.Command(program, clip)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("cameras: %v", err)
		}
	})
	c := &crowd{in: in, out: bufio.NewReader(out)}
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c.url = strings.TrimSpace(line)
	return c
}

// ask says a word to the cameras, and returns what they have sent then, by path, to one reader after the other.
func (c *crowd) ask(t *testing.T, word string) map[string][]sending {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		t.Fatal(err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var all []sending
	decode(t, line, &all)
	sent := map[string][]sending{}
	for _, s := range all {
		sent[s.Path] = append(sent[s.Path], s)
	}
	return sent
}
