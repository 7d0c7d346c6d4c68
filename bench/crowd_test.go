package bench_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// sentFrames is what a camera says of a session.
type sentFrames struct {
	Path  string
	Video int64
	Audio int64
	First float64 // s since 1970
	Late  float64 // s
	Over  bool
}

// A crowd is the process of the cameras.
type crowd struct {
	url string
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startCrowd(b *testing.B, clip string) *crowd {
	c := &crowd{cmd: exec.Command(program(b, cameras), clip)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if c.url, err = c.out.ReadString('\n'); err != nil {
		b.Fatal(errors.Join(err, c.cmd.Wait()))
	}
	c.url = strings.TrimSpace(c.url)
	return c
}

func (c *crowd) ask(b *testing.B, word string) (sent []sentFrames) {
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		b.Fatal(err)
	}
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &sent)
	}
	if err != nil {
		b.Fatalf("cameras: %s: %v", word, err)
	}
	return sent
}

// await waits for what was sent to meet a condition.
func (c *crowd) await(b *testing.B, met func([]sentFrames) bool) {
	for deadline := time.Now().Add(30 * time.Second); !met(c.ask(b, "report")); {
		if time.Now().After(deadline) {
			b.Fatal("not every camera is recorded after 30 s")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *crowd) end(b *testing.B) {
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		b.Errorf("cameras: %v", err)
	}
}
