package fs

import (
	"context"
	"errors"
	"sync"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"

	"nvrfs/playback"
)

// notifier has the kernel forget what is no longer so. It does that in a goroutine of its own: a notification about a
// directory waits for the requests in it, so a handler that sent one would wait for itself.
type notifier struct {
	s      *Server
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	pending map[changedHour]playback.Change
	all     bool // anything may have changed
}

type changedHour struct {
	stream  string
	from90k int64
}

func newNotifier(s *Server) *notifier {
	n := &notifier{s: s, wake: make(chan struct{}, 1), done: make(chan struct{}), pending: map[changedHour]playback.Change{}}
	n.ctx, n.cancel = context.WithCancel(s.ctx)
	return n
}

// add takes in changes. It never waits.
func (n *notifier) add(changes []playback.Change) {
	n.mu.Lock()
	n.all = n.all || changes == nil
	for _, c := range changes {
		k := changedHour{c.Stream, c.Hour.From90k}
		c.Listed = c.Listed || n.pending[k].Listed
		n.pending[k] = c
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// start runs the notifier until it is cancelled or the mount is gone; then it calls unsubscribe.
func (n *notifier) start(unsubscribe func()) {
	go func() {
		defer close(n.done)
		defer unsubscribe()
		for {
			select {
			case <-n.ctx.Done():
				return
			case <-n.wake:
			}
			n.mu.Lock()
			changes, all := n.pending, n.all
			n.pending, n.all = map[changedHour]playback.Change{}, false
			n.mu.Unlock()
			if all {
				forgetAll(n.s.root.EmbeddedInode())
			}
			for _, c := range changes {
				if n.ctx.Err() == nil {
					n.notify(c)
				}
			}
		}
	}()
}

// notify tells the kernel of one change. What the kernel does not know, it is not told of.
func (n *notifier) notify(c playback.Change) {
	now := n.look(c)
	if c.Listed {
		n.s.newest.Store(time.Now().UnixNano())
	}
	forgetFiles(n.known(c.Stream, c.Day.Name, c.Hour.Name), now.inodes)
	forgetFiles(n.known(hiddenName, "info", c.Stream, c.Day.Name, c.Hour.Name), nil)
	forgetName(n.known(hiddenName, "days", c.Stream), dayFileName(c.Day))
	for _, top := range [][]string{nil, {hiddenName, "info"}} {
		// A directory that someone is in keeps its name for as long as it exists.
		if now.hourGone {
			forgetName(n.known(append(top, c.Stream, c.Day.Name)...), c.Hour.Name)
		}
		if now.dayGone {
			forgetName(n.known(append(top, c.Stream)...), c.Day.Name)
		}
	}
	if c.Listed {
		n.forgetListings(c)
	}
}

// forgetListings has the kernel forget the listings in which a stream, day or hour may be new, or missing.
func (n *notifier) forgetListings(c playback.Change) {
	for _, top := range [][]string{nil, {hiddenName, "info"}} {
		forgetListing(n.known(append(top, c.Stream, c.Day.Name)...))
		forgetListing(n.known(append(top, c.Stream)...))
	}
	forgetListing(n.known(hiddenName, "days", c.Stream))
	for _, top := range [][]string{nil, {hiddenName, "clips"}, {hiddenName, "days"}, {hiddenName, "info"}} {
		forgetListing(n.known(top...))
	}
}

// afterChange is what there is after a change.
type afterChange struct {
	inodes            map[string]uint64 // of the hour's entries
	hourGone, dayGone bool              // nothing is left
}

// look finds out what there is after a change. Where that fails, the kernel forgets more than it has to.
func (n *notifier) look(c playback.Change) (now afterChange) {
	ctx, cancel := context.WithTimeout(n.ctx, requestDeadline)
	defer cancel()
	stream, err := n.s.lib.Stream(ctx, c.Stream)
	if err != nil {
		return now
	}
	entries, err := n.s.lib.Entries(ctx, stream, c.Hour)
	if err != nil {
		return now
	}
	now.inodes = map[string]uint64{}
	for _, e := range entries {
		now.inodes[e.Name] = e.Inode
	}
	now.hourGone = len(entries) == 0
	if now.hourGone {
		_, err = n.s.lib.Day(ctx, stream, c.Day.Name)
		now.dayGone = errors.Is(err, playback.ErrNotFound)
	}
	return now
}

// known returns the directory at a path, or nil when the kernel does not know it.
func (n *notifier) known(names ...string) *fusefs.Inode {
	dir := n.s.root.EmbeddedInode()
	for _, name := range names {
		if dir = dir.GetChild(name); dir == nil {
			return nil
		}
	}
	return dir
}

// forgetFiles has the kernel forget the names in a directory that do not lead to the same inodes as now, and the listing.
func forgetFiles(dir *fusefs.Inode, inodes map[string]uint64) {
	if dir == nil {
		return
	}
	for name, file := range dir.Children() {
		if file.StableAttr().Ino != inodes[name] {
			forgetName(dir, name)
		}
	}
	forgetListing(dir)
}

// forgetAll has the kernel forget all names and listings below a directory.
func forgetAll(dir *fusefs.Inode) {
	for name, child := range dir.Children() {
		if child.IsDir() {
			forgetAll(child)
		}
		forgetName(dir, name)
	}
	forgetListing(dir)
}

// forgetName has the kernel look a name up again. That it did not know it is no error.
func forgetName(dir *fusefs.Inode, name string) {
	if dir != nil {
		dir.NotifyEntry(name)
	}
}

// forgetListing has the kernel list a directory again, and ask for its attributes.
func forgetListing(dir *fusefs.Inode) {
	if dir != nil {
		dir.NotifyContent(0, 0)
	}
}
