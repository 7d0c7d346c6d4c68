package fs

import (
	"context"
	"errors"
	"slices"
	"strings"
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
	stream  string // label
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
		k := changedHour{c.Stream.Label, c.Hour.From90k}
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
	for _, hour := range c.Hours() {
		if n.s.knows(inoOf(hour.Parent().Path())) {
			n.forgetFiles(c)
			break
		}
	}
	days, name := c.DayFile()
	n.s.forgetName(days.Path(), name)
	if c.Listed {
		for _, dir := range c.Listings() {
			n.s.forgetListing(dir.Path())
		}
	}
}

// forgetFiles has the kernel forget, of the hour of a change, what there is no more, or by another inode number.
func (n *notifier) forgetFiles(c playback.Change) {
	ctx, cancel := context.WithTimeout(n.ctx, n.s.o.deadline)
	defer cancel()
	now := n.look(ctx, c)
	for _, hour := range c.Hours() {
		for ino, ref := range n.s.nodes.in(hour.Ref()) {
			dir, name, err := n.s.view.Where(ctx, ref)
			if err == nil && now.inodes[name] != ino {
				n.s.forgetName(dir.Path(), name)
			}
		}
		n.s.forgetListing(hour.Path())
		// A directory that someone is in keeps its name for as long as it exists.
		if now.hourGone {
			n.s.forgetName(hour.Parent().Path(), hour.Name())
		}
		if day := hour.Parent(); now.dayGone {
			n.s.forgetName(day.Parent().Path(), day.Name())
		}
	}
}

// forgetAll has the kernel forget all names and listings that may change.
func (n *notifier) forgetAll() {
	ctx, cancel := context.WithTimeout(n.ctx, n.s.o.deadline)
	defer cancel()
	for ino, ref := range n.s.nodes.all() {
		if n.ctx.Err() != nil {
			return
		}
		path := n.s.pathOf(ctx, ino)
		if !ref.IsFile() {
			n.s.forgetListing(path)
		}
		if dir := strings.LastIndexByte(path, '/'); dir >= 0 {
			n.s.forgetName(path[:dir], path[dir+1:])
		}
	}
}

// afterChange is what there is after a change.
type afterChange struct {
	inodes            map[string]uint64 // of the hour's entries, by name
	hourGone, dayGone bool              // nothing is left
}

// look finds out what there is after a change. Where that fails, the kernel forgets more than it has to.
func (n *notifier) look(ctx context.Context, c playback.Change) (now afterChange) {
	entries, err := n.s.view.Entries(ctx, c.Stream, c.Hour)
	if err != nil {
		return now
	}
	now.inodes = map[string]uint64{}
	for _, e := range entries {
		now.inodes[e.Name] = e.ID
	}
	now.hourGone = len(entries) == 0
	if now.hourGone {
		_, err = n.s.view.Day(ctx, c.Stream, c.Day.Name)
		now.dayGone = errors.Is(err, playback.ErrNotFound)
	}
	return now
}
