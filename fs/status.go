package fs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"nvrfs/playback"
)

// status is the content of status.json.
type status struct {
	Version string         `json:"version"`
	Time    time.Time      `json:"time"`
	Streams []streamStatus `json:"streams"`
}

type streamStatus struct {
	Stream     string         `json:"stream"` // label
	Camera     string         `json:"camera"`
	First      time.Time      `json:"first,omitzero"`
	Last       time.Time      `json:"last,omitzero"` // end of the newest footage
	Days       int            `json:"days"`
	Recordings int64          `json:"recordings"`
	Bytes      int64          `json:"bytes"`
	Growing    *growingStatus `json:"growing"` // the entry that is being recorded, or null
}

type growingStatus struct {
	Path  string    `json:"path"` // from the root of the mount
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Bytes int64     `json:"bytes"`
}

func (s *Server) status(ctx context.Context) (st status, err error) {
	st = status{Version: s.o.Version, Time: s.local(time.Now()), Streams: []streamStatus{}}
	sums, err := s.lib.Summaries(ctx)
	for _, x := range sums {
		one, err := s.streamStatus(ctx, x)
		if err != nil {
			return st, err
		}
		st.Streams = append(st.Streams, one)
	}
	return st, err
}

func (s *Server) streamStatus(ctx context.Context, sum playback.Summary) (st streamStatus, err error) {
	st = streamStatus{Stream: sum.Label, Camera: sum.Camera, Days: sum.Days, Recordings: sum.Recordings, Bytes: sum.Bytes}
	if sum.Recordings > 0 {
		st.First, st.Last = s.local(sum.First), s.local(sum.Last)
	}
	st.Growing, err = s.growing(ctx, sum.Stream)
	if errors.Is(err, playback.ErrStale) { // it grew meanwhile
		st.Growing, err = s.growing(ctx, sum.Stream)
	}
	return st, err
}

// growing describes the newest entry of a stream if it is being recorded.
func (s *Server) growing(ctx context.Context, x playback.Stream) (*growingStatus, error) {
	if !s.lib.Recorded() {
		return nil, nil
	}
	days, err := s.lib.Days(ctx, x)
	if err != nil || len(days) == 0 {
		return nil, err
	}
	day := days[len(days)-1]
	hours, err := s.lib.Hours(ctx, x, day)
	if err != nil || len(hours) == 0 {
		return nil, err
	}
	hour := hours[len(hours)-1]
	entries, err := s.lib.Entries(ctx, x, hour)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	e := entries[len(entries)-1]
	info, err := s.lib.Info(ctx, e)
	if err != nil || !info.Growing {
		return nil, err
	}
	return &growingStatus{x.Label + "/" + day.Name + "/" + hour.Name + "/" + e.Name, info.Start, info.End, info.Bytes}, nil
}

func (s *Server) local(t time.Time) time.Time { return t.In(s.lib.Location()) }

// encode writes v as JSON for people.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// statusFile is status.json. Each open shows what was then; within a second it is the same, so that the size that was asked
// for is that of what is read.
type statusFile struct {
	s *Server

	mu   sync.Mutex
	text []byte
	made time.Time
}

const statusName = "status.json"

// snapshot returns the content and when it was made, which is now or a moment ago.
func (f *statusFile) snapshot(ctx context.Context) (text []byte, made time.Time, err error) {
	f.mu.Lock() // also while it is made: whoever else asks waits for it
	defer f.mu.Unlock()
	if time.Since(f.made) < keepBrief {
		return f.text, f.made, nil
	}
	st, err := f.s.status(ctx)
	if err == nil {
		text, err = encode(st)
	}
	if err != nil {
		return nil, made, err
	}
	f.text, f.made = text, time.Now() // it may have taken a while
	return f.text, f.made, nil
}

// statusNode is status.json in the mount.
type statusNode struct {
	base
	f    *statusFile
	size int64
	made time.Time
}

var (
	_ fusefs.NodeOpener    = (*statusNode)(nil)
	_ fusefs.NodeGetattrer = (*statusNode)(nil)
)

func (f *statusFile) node(ctx context.Context) (node, error) {
	text, made, err := f.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &statusNode{base{s: f.s, ino: digest("/" + hiddenName + "/" + statusName)}, f, int64(len(text)), made}, nil
}

func (n *statusNode) attr() attr {
	return attr{mode: syscall.S_IFREG | 0o444, size: n.size, modTime: n.made, keepName: keepLong}
}

// Getattr implements stat(2).
func (n *statusNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, cancel := n.s.request()
	defer cancel()
	now, err := n.f.node(ctx)
	if err != nil {
		return n.s.errno("make", statusName, err)
	}
	return n.getattr(now, out)
}

// Open implements open(2).
func (n *statusNode) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if writes(flags) {
		return nil, 0, syscall.EROFS
	}
	ctx, cancel := n.s.request()
	defer cancel()
	text, _, err := n.f.snapshot(ctx)
	if err != nil {
		return nil, 0, n.s.errno("make", statusName, err)
	}
	return textHandle(n.s, statusName, text), fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, 0
}
