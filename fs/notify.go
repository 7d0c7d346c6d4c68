package fs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"nvrfs/playback"
)

// notifier has the kernel forget what is no longer so. It does that in a goroutine of its own: a notification about a
// directory waits for the requests in it, so a handler that sent one would wait for itself.
//
// A lookup or listing that is under way meanwhile may answer with what was, and the kernel would keep that. So it is told
// again, a moment after all of those have been answered.
type notifier struct {
	s      *Server
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	fresh news // that the kernel was not told of

	again []toldNews // what is to be told again, by when; the goroutine's own
}

// news is what has changed.
type news struct {
	hours map[changedHour]playback.Change
	all   bool // anything may have
}

// toldNews is what the kernel was told once.
type toldNews struct {
	news
	when time.Time // to tell it again
}

// tellAgainAfter is how long the kernel may take with an answer that it has.
const tellAgainAfter = time.Second

type changedHour struct {
	stream  string
	from90k int64
}

func newNotifier(s *Server) *notifier {
	n := &notifier{s: s, wake: make(chan struct{}, 1), done: make(chan struct{}), fresh: news{hours: map[changedHour]playback.Change{}}}
	n.ctx, n.cancel = context.WithCancel(s.ctx)
	return n
}

// add takes in changes. It never waits.
func (n *notifier) add(changes []playback.Change) {
	n.mu.Lock()
	n.fresh.all = n.fresh.all || changes == nil
	for _, c := range changes {
		k := changedHour{c.Stream, c.Hour.From90k}
		c.Listed = c.Listed || n.fresh.hours[k].Listed
		n.fresh.hours[k] = c
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
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-n.ctx.Done():
				return
			case <-n.wake:
				n.mu.Lock()
				x := n.fresh
				n.fresh = news{hours: map[changedHour]playback.Change{}}
				n.mu.Unlock()
				n.tell(x)
				n.again = append(n.again, toldNews{x, time.Now().Add(tellAgainAfter)})
			case <-timer.C:
				n.tellAgain()
			}
			if len(n.again) > 0 {
				timer.Reset(time.Until(n.again[0].when))
			}
		}
	}()
}

// tell tells the kernel of news. What the kernel does not know, it is not told of.
func (n *notifier) tell(x news) {
	if x.all {
		n.forgetAll()
	}
	for _, c := range x.hours {
		if n.ctx.Err() == nil {
			n.notifyOf(c)
		}
	}
}

// tellAgain tells what is due.
func (n *notifier) tellAgain() {
	due := 0
	for ; due < len(n.again) && !n.again[due].when.After(time.Now()); due++ {
	}
	if due == 0 {
		return
	}
	n.s.underWay.wait()
	for _, x := range n.again[:due] {
		n.tell(x.news)
	}
	n.again = slices.Delete(n.again, 0, due)
}

func (n *notifier) notifyOf(c playback.Change) {
	if c.Listed {
		n.s.newest.Store(time.Now().UnixNano())
	}
	day := "/" + c.Stream + "/" + c.Day.Name
	if n.knows(day) || n.knows(infoPath+day) {
		n.forgetFiles(c)
	}
	n.forgetName("/" + hiddenName + "/days/" + c.Stream + "/" + dayFileName(c.Day))
	if c.Listed {
		n.forgetListings(c)
	}
}

// forgetFiles has the kernel forget, of the hour of a change, what there is no more, or by another inode number.
func (n *notifier) forgetFiles(c playback.Change) {
	hour := "/" + c.Stream + "/" + c.Day.Name + "/" + c.Hour.Name
	files := n.filesOf(c)
	now := n.look(c)
	for _, f := range files {
		if now.inodes[f.path] != f.ino {
			n.forgetName(f.path)
		}
	}
	for _, top := range []string{"", infoPath} {
		n.forgetListing(top + hour)
		// A directory that someone is in keeps its name for as long as it exists.
		if now.hourGone {
			n.forgetName(top + hour)
		}
		if now.dayGone {
			n.forgetName(top + parentOf(hour))
		}
	}
}

// forgetListings has the kernel forget the listings in which a stream, day or hour may be new, or missing.
func (n *notifier) forgetListings(c playback.Change) {
	for _, top := range []string{"", infoPath} {
		n.forgetListing(top + "/" + c.Stream + "/" + c.Day.Name)
		n.forgetListing(top + "/" + c.Stream)
	}
	hidden := "/" + hiddenName
	for _, path := range []string{hidden + "/days/" + c.Stream, "", hidden + "/clips", hidden + "/days", infoPath} {
		n.forgetListing(path)
	}
}

// knownFile is a file that the kernel knows.
type knownFile struct {
	path string
	ino  uint64
}

// filesOf lists the files of the hour of a change that the kernel knows: entries, and what tells of them.
func (n *notifier) filesOf(c playback.Change) (files []knownFile) {
	ctx, cancel := context.WithTimeout(n.ctx, requestDeadline)
	defer cancel()
	stream, err := n.s.lib.Stream(ctx, c.Stream)
	if err != nil {
		return nil
	}
	for _, info := range []bool{false, true} {
		for ino, p := range n.s.nodes.in(place{c.Hour.From90k, hourPlace, stream.ID(), info}) {
			files = append(files, knownFile{n.s.pathOf(stream, p), ino})
		}
	}
	return files
}

// forgetAll has the kernel forget all names and listings that may change.
func (n *notifier) forgetAll() {
	ctx, cancel := context.WithTimeout(n.ctx, requestDeadline)
	defer cancel()
	for ino, p := range n.s.nodes.all() {
		if n.ctx.Err() != nil {
			return
		}
		path := n.pathOf(ctx, ino, p)
		n.forgetListing(path)
		n.forgetName(path)
	}
}

// pathOf returns the path of what the kernel knows; of what it may no longer be, or never changes, that of the root.
func (n *notifier) pathOf(ctx context.Context, ino uint64, p place) string {
	if p != (place{}) {
		if stream, err := n.s.lib.StreamByID(ctx, p.stream); err == nil {
			return n.s.pathOf(stream, p)
		}
	}
	kept, _, _ := n.s.nodes.get(ino)
	switch x := kept.(type) {
	case *dirNode:
		return x.path
	case *entryNode: // of a day; clips have other names, which are soon forgotten anyway
		return "/" + hiddenName + "/days/" + x.e.Stream().Label + "/" + x.e.Name
	}
	return ""
}

// afterChange is what there is after a change.
type afterChange struct {
	inodes            map[string]uint64 // of the hour's entries, by path
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
		now.inodes["/"+c.Stream+"/"+c.Day.Name+"/"+c.Hour.Name+"/"+e.Name] = e.ID
	}
	now.hourGone = len(entries) == 0
	if now.hourGone {
		_, err = n.s.lib.Day(ctx, stream, c.Day.Name)
		now.dayGone = errors.Is(err, playback.ErrNotFound)
	}
	return now
}

// forgetName has the kernel look a path up again. That it does not know it is no error.
func (n *notifier) forgetName(path string) {
	if path == "" {
		return
	}
	if dir := parentOf(path); n.knows(dir) {
		n.s.server.EntryNotify(inoOf(dir), path[len(dir)+1:])
	}
}

// forgetListing has the kernel list a directory again, and ask for its attributes.
func (n *notifier) forgetListing(path string) {
	if n.knows(path) {
		n.s.server.InodeNotify(inoOf(path), 0, 0)
	}
}

// knows reports whether the kernel knows a directory.
func (n *notifier) knows(path string) bool {
	_, _, ok := n.s.nodes.get(inoOf(path))
	return ok
}
