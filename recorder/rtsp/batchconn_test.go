package rtsp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// batchPair returns both ends of a connection, the reading one with a deadline.
func batchPair(t *testing.T) (reader *batchConn, writer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reader, err = dialBatched(t.Context(), "tcp", l.Addr().String())
	if err == nil {
		writer, err = l.Accept()
	}
	if err == nil {
		err = reader.SetReadDeadline(time.Now().Add(testTimeout))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	return reader, writer
}

// kernelLow is what the kernel holds back until it has.
func kernelLow(t *testing.T, c *batchConn) (low int) {
	t.Helper()
	err := c.raw.Control(func(fd uintptr) {
		var err error
		if low, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return low
}

func mustWrite(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
}

// What is read is what was written, whatever is asked for at once.
func TestBatchConnBytes(t *testing.T) {
	r, w := batchPair(t)
	sent := make([]byte, 3*batchBuffer+17)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sent)
	go func() {
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(5000))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
		w.Close()
	}()
	var got []byte
	for {
		p := make([]byte, 1+rand.IntN(9000))
		n, err := r.Read(p)
		if got = append(got, p[:n]...); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(got)%7 == 0 {
			r.adjust(time.Second)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, not the %d that were sent", len(got), len(sent))
	}
}

// The batches are as large as what comes in batchTime, and smaller than what is read at once.
func TestBatchConnFollowsRate(t *testing.T) {
	c, _ := batchPair(t)
	if low := kernelLow(t, c); low != 1 {
		t.Errorf("before the first adjust the kernel waits for %d bytes", low)
	}
	for _, tt := range []struct{ received, low int }{
		{50_000, 5000},
		{55_000, 5000}, // much the same
		{100_000, 10_000},
		{10_000_000, batchBuffer * 3 / 4},
		{20_000, 2000},
		{3, 1},
		{0, 1},
	} {
		c.received.Add(int64(tt.received))
		c.adjust(time.Second)
		if low := kernelLow(t, c); low != tt.low {
			t.Errorf("at %d bytes a second the kernel waits for %d, want %d", tt.received, low, tt.low)
		}
	}
}

// readable reports whether a reader that waits for c would be woken. It waits for n bytes to be there first.
func readable(t *testing.T, c *batchConn, n int) (ready bool) {
	t.Helper()
	err := c.raw.Control(func(fd uintptr) {
		for deadline := time.Now().Add(testTimeout); ; {
			there, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
			if err != nil || time.Now().After(deadline) {
				t.Errorf("%d bytes are there, want %d: %v", there, n, err)
			}
			if there >= n || t.Failed() {
				break
			}
		}
		events, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if err != nil {
			t.Error(err)
		}
		ready = events > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return ready
}

// What is less than a batch is held back until more comes, or the stream falls silent, or it ends.
func TestBatchConnHoldsBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(r *batchConn, w net.Conn)
		want int
	}{
		{"another batch", func(_ *batchConn, w net.Conn) { mustWrite(t, w, make([]byte, 5000)) }, 5010},
		{"silence", func(r *batchConn, _ net.Conn) { r.adjust(time.Second) }, 10},
		{"end", func(_ *batchConn, w net.Conn) { w.Close() }, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w := batchPair(t)
			r.received.Add(50_000)
			r.adjust(time.Second)
			mustWrite(t, w, make([]byte, 10))
			if readable(t, r, 10) {
				t.Error("the reader is woken for less than a batch")
			}
			read := make(chan int)
			go func() {
				n, err := io.ReadFull(r, make([]byte, tt.want))
				if err != nil {
					t.Error(err)
				}
				read <- n
			}()
			tt.then(r, w)
			if n := <-read; n != tt.want {
				t.Errorf("read %d bytes, want %d", n, tt.want)
			}
		})
	}
}
