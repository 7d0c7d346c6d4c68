package fs

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hanwen/go-fuse/v2/splice"
	"golang.org/x/sys/unix"
)

// Both replies are used again, so that a read allocates nothing here. go-fuse looks at the methods of a reply to see how to
// write it, and calls Done when it has.

// copied is a reply of bytes in memory. Having Slices, it is written from where they lie; all others go through a pipe.
type copied struct{ slices [1][]byte }

var copies = sync.Pool{New: func() any { return &copied{} }}

func replyWith(b []byte) *copied {
	c := copies.Get().(*copied)
	c.slices[0] = b
	return c
}

func (c *copied) Slices() ([][]byte, fuse.Status)    { return c.slices[:], fuse.OK }
func (c *copied) Bytes([]byte) ([]byte, fuse.Status) { return c.slices[0], fuse.OK }
func (c *copied) Size() int                          { return len(c.slices[0]) }

func (c *copied) Done() {
	c.slices[0] = nil
	copies.Put(c)
}

// spliced is a reply in a pipe, which holds references to the pages of a sample file: no byte passes through this process.
// It costs four requests to the kernel more than copying, so it is for large reads.
type spliced struct {
	r, w  int // of the pipe; 0 while there is none
	n     int // bytes in it
	spent bool
	free  chan<- *spliced
	take  func(fd uintptr, at, n int64) int64 // the method splice, made once, so that a read allocates nothing
}

const (
	pipeBytes  = 1 << 20   // a pipe's most, unless the host says otherwise
	maxPipes   = 16        // beyond which reads are copied; go-fuse has as many again, together half an ordinary user's share
	spliceFrom = 512 << 10 // bytes; below, copying is cheaper
)

// newPipes returns the replies that there can be at a time, or none where pipes are too small.
func newPipes() chan *spliced {
	free := make(chan *spliced, maxPipes)
	for range maxPipes {
		if splice.MaxPipeSize() >= pipeBytes {
			p := &spliced{free: free}
			p.take = p.splice
			free <- p
		}
	}
	return free
}

// spliced answers a read by splicing, or returns nil where it must be copied.
func (h *entryHandle) spliced(off, n int64) *spliced {
	if n < spliceFrom || n > int64(maxRequest) || h.s.ctx.Err() != nil {
		return nil
	}
	var p *spliced
	select {
	case p = <-h.s.pipes:
	default:
		return nil
	}
	if p.open() {
		p.n = int(h.f.WithFile(off, n, p.take))
		if int64(p.n) == n {
			return p
		}
	}
	p.spent = p.spent || p.n > 0
	p.Done()
	return nil
}

// splice puts n bytes of a file into the pipe, which has room for them, and returns how many are in it.
func (p *spliced) splice(fd uintptr, at, n int64) (moved int64) {
	for moved < n {
		m, err := unix.Splice(int(fd), &at, p.w, nil, int(n-moved), 0)
		if err == unix.EINTR {
			continue
		}
		if m <= 0 || err != nil {
			break
		}
		moved += int64(m)
	}
	return moved
}

func (p *spliced) open() bool {
	if p.w != 0 {
		return true
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return false
	}
	p.r, p.w = fds[0], fds[1]
	_, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeBytes)
	p.spent = err != nil
	return err == nil
}

func (p *spliced) close() {
	if p.w != 0 {
		unix.Close(p.r) //nolint:errcheck // nothing can be lost
		unix.Close(p.w) //nolint:errcheck // nothing can be lost
		p.r, p.w = 0, 0
	}
}

// Stateful has go-fuse move the bytes on from the pipe.
func (p *spliced) Stateful() (fd uintptr, n int) { return uintptr(p.r), p.n }

func (p *spliced) Size() int { return p.n }

// Bytes is called when they could not be moved on. Unless all of them are still there, the read fails.
func (p *spliced) Bytes(buf []byte) ([]byte, fuse.Status) {
	p.spent = true
	for n := 0; n < p.n; {
		m, err := unix.Read(p.r, buf[n:p.n])
		if m <= 0 || err != nil {
			return nil, fuse.EIO
		}
		n += m
	}
	return buf[:p.n], fuse.OK
}

// Done keeps the pipe, unless something may be left in it.
func (p *spliced) Done() {
	if p.spent {
		p.close()
	}
	p.n, p.spent = 0, false
	p.free <- p
}
