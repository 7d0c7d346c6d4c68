// Command cameras is a crowd of RTSP cameras for benchmarks: any number of readers, each of which gets a camera of its own
// that plays the same clip from its first frame on. It costs as little as it can, since it runs on the host that is
// measured: the packets are made once, and every camera only patches their numbers and times.
//
//	cameras CLIP.mp4        prints its URL, to which any path may be added: rtsp://127.0.0.1:PORT/
//
// A camera sends frames when they are due, in packets of at most 1400 bytes of payload, each by a write of its own, within
// the RTSP connection (RFC 2326 10.12). It starts up to two seconds after PLAY, by its path, so that the sync samples of
// many cameras do not all come at once. When a reader does not keep up, frames wait; none is dropped.
//
// On standard input it takes one word a line, and answers with one line of JSON: "report" tells what was sent, and "stop"
// ends all cameras behind the frames that are under way, as if they were switched off, and tells what was sent then. It
// exits at the end of standard input.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"syscall"

	"nvrfs/camera"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cameras: ")
	listen := flag.String("listen", "127.0.0.1:0", "the `ADDRESS` to listen at")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("want one argument, the clip to play")
	}
	if err := run(*listen, flag.Arg(0), os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(listen, clip string, in io.Reader, out io.Writer) error {
	f, err := os.Open(clip)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	parsed, err := camera.ParseClip(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", clip, err)
	}
	p, err := newProgramme(parsed)
	if err != nil {
		return fmt.Errorf("%s: %w", clip, err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	c := &crowd{programme: p, stopped: make(chan struct{})}
	fmt.Fprintf(out, "rtsp://%s/\n", l.Addr())
	var wg sync.WaitGroup
	wg.Go(func() { c.serve(l) })
	c.obey(in, out, l)
	l.Close()
	c.hangUp()
	wg.Wait()
	return nil
}

// A crowd is all cameras.
type crowd struct {
	programme *programme
	stopped   chan struct{} // closed when no more is to be sent

	mu       sync.Mutex
	sessions []*session
	over     bool // no more sessions
}

// serve accepts readers until l is closed, and waits for their sessions.
func (c *crowd) serve(l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s := newSession(c, conn)
		c.mu.Lock()
		if c.over {
			conn.Close()
		}
		c.sessions = append(c.sessions, s)
		c.mu.Unlock()
		wg.Go(func() {
			err := s.serve()
			gone := errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
			if err != nil && !gone {
				log.Printf("%s: %v", s.path, err)
			}
		})
	}
}

// hangUp closes all connections.
func (c *crowd) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, s := range c.sessions {
		s.conn.Close()
	}
}

// obey answers the words that come in until there are no more.
func (c *crowd) obey(in io.Reader, out io.Writer, l net.Listener) {
	for words := bufio.NewScanner(in); words.Scan(); {
		switch words.Text() {
		case "stop":
			l.Close()
			close(c.stopped)
			for _, s := range c.list() {
				s.end()
			}
		case "report":
		default:
			log.Printf("unknown word %q", words.Text())
			continue
		}
		var sent []sent
		for _, s := range c.list() {
			if r := s.report(); r.Path != "" {
				sent = append(sent, r)
			}
		}
		if err := json.NewEncoder(out).Encode(sent); err != nil {
			log.Print(err)
		}
	}
}

func (c *crowd) list() []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*session(nil), c.sessions...)
}
