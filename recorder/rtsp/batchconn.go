package rtsp

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	batchBuffer = 64 << 10               // bytes
	batchTime   = 100 * time.Millisecond // of a stream, that is read at once
)

// A batchConn is a TCP connection that wakes its reader seldom. A camera sends hundreds of packets a second, and to wake up
// for each of them costs several times of what it takes to handle it. So the kernel is told to wake the reader only when
// about batchTime of the stream has come (SO_RCVLOWAT, socket(7)), by the rate of late, and all of that is read at once.
//
// The newest data of a batch is fresh: it is what woke the reader. So the smallest delay of a stream, from which its wall
// times follow, is the same as without batches.
type batchConn struct {
	net.Conn
	raw syscall.RawConn

	buf    []byte // the reader's, as is unread
	unread []byte // what of buf was not asked for yet

	received atomic.Int64 // bytes ever
	adjusted int64        // received, when adjust was last called
	low      int          // what the kernel was told
}

// dialBatched is a net.Dialer's DialContext. It reads in batches from the first adjust on.
func dialBatched(ctx context.Context, network, address string) (*batchConn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &batchConn{Conn: conn, low: 1}
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, err = s.SyscallConn()
	}
	return c, err
}

// Read implements net.Conn.
func (c *batchConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if len(p) >= batchBuffer { // the reader has a buffer of its own
			n, err := c.Conn.Read(p)
			c.received.Add(int64(n))
			return n, err
		}
		if c.buf == nil {
			c.buf = make([]byte, batchBuffer)
		}
		n, err := c.Conn.Read(c.buf)
		c.received.Add(int64(n))
		if n == 0 {
			return 0, err
		}
		c.unread = c.buf[:n] // an error comes again with the next Read
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// count has the next adjust count the stream from now on.
func (c *batchConn) count() { c.adjusted = c.received.Load() }

// adjust has the size of batches follow the rate of the stream. It is to be called about once a second, with the time
// since the last call, by one goroutine. What little has come of a stream that fell silent is read after the next call.
func (c *batchConn) adjust(since time.Duration) {
	received := c.received.Load()
	low := int(float64(received-c.adjusted) * (float64(batchTime) / float64(since)))
	low = max(1, min(low, batchBuffer*3/4))
	c.adjusted = received
	if c.raw == nil || low > c.low*3/4 && low < c.low*5/4 {
		return // it is much the same
	}
	c.low = low
	_ = c.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, low) // without it, every packet wakes
	})
}
