package playback

import (
	"cmp"
	"slices"
	"sync"

	"nvrfs/playback/lru"
)

// listings caches listings: the streams, the days of each, and the entries of the days that were listed last. A listing must not be
// kept if something was dropped while its rows were read, because the rows may be from before the change. So whoever keeps a listing
// says how many drops there were when it began to read.
type listings struct {
	// cache changes only while mu is held, so that no change of a listing is lost. It is read without.
	cache *lru.Cache[dayKey, listing]

	mu       sync.Mutex               // the lock of cache is taken inside it, and no other
	streams  []Stream                 // nil when they are not known
	days     map[int64]streamDays     // by stream
	drops    int                      // how often something was dropped
	underWay map[dayKey]chan struct{} // days that are being listed; closed when one was
}

func newListings(maxBytes int64) listings {
	return listings{
		cache: lru.New[dayKey, listing](maxBytes, nil), days: map[int64]streamDays{}, underWay: map[dayKey]chan struct{}{},
	}
}

// streamDays are the days of a stream.
type streamDays struct {
	days   []Span
	unsure []Span // days of which a recording was deleted, so that they may have no footage any more
}

// dayKey is a day of a stream.
type dayKey struct{ stream, from90k int64 }

// A listing is the part of a stream's day that is known. It must not be changed.
type listing struct {
	whole bool          // the day was listed, though some of its hours may not be known, or not any more
	hours []hourListing // as those of the calendarDay
	spans []Span        // of the hours in which a recording starts; nil when they are not known
}

type hourListing struct {
	known   bool
	entries []*Entry // by start
}

// How many bytes of memory a listing takes, about.
const (
	listingBytes = 250
	hourBytes    = 32 + 32
	entryBytes   = 270
	recBytes     = 300
)

func (x listing) bytes() int64 {
	n := int64(listingBytes + hourBytes*len(x.hours))
	for _, h := range x.hours {
		n += int64(entryBytes * len(h.entries))
		for _, e := range h.entries {
			n += int64(recBytes * len(e.recs))
		}
	}
	return n
}

// dropped returns how often something was dropped.
func (x *listings) dropped() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.drops
}

// knownStreams returns the streams, or nil when they are not known.
func (x *listings) knownStreams() (streams []Stream, drops int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.streams, x.drops
}

func (x *listings) keepStreams(streams []Stream, drops int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.drops == drops {
		x.streams = streams
	}
}

// knownDays returns the days of a stream; ok is false when they are not known.
func (x *listings) knownDays(stream int64) (days streamDays, ok bool, drops int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	days, ok = x.days[stream]
	return days, ok, x.drops
}

func (x *listings) keepDays(stream int64, days []Span, drops int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.drops == drops {
		x.days[stream] = streamDays{days: days}
	}
}

// keep keeps what change adds to what is known of a day.
func (x *listings) keep(stream int64, day *calendarDay, drops int, change func(*listing)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.drops == drops {
		x.replaceLocked(dayKey{stream, day.From90k}, len(day.hours), change)
	}
}

// replaceLocked changes a copy of a day's listing, and keeps that.
func (x *listings) replaceLocked(k dayKey, hours int, change func(*listing)) {
	y, ok := x.cache.Get(k)
	if ok {
		y.hours = slices.Clone(y.hours)
	} else {
		y.hours = make([]hourListing, hours)
	}
	change(&y)
	x.cache.Replace(k, y, y.bytes())
}

// begin says that the caller lists a day, until it calls done. If another goroutine lists the day already, begin returns a channel that
// is closed when that has finished, and no done.
func (x *listings) begin(k dayKey) (others <-chan struct{}, done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if others := x.underWay[k]; others != nil {
		return others, nil
	}
	listed := make(chan struct{})
	x.underWay[k] = listed
	return nil, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.underWay, k)
		close(listed)
	}
}

// forget drops the listings that have changed, or, where changes is nil, every listing, and takes in the streams that there are.
func (x *listings) forget(changes []Change, streams []Stream, c *calendar) {
	days := make([]*calendarDay, len(changes))
	for i := range changes {
		days[i] = c.at(changes[i].Hour.From90k)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drops++
	x.streams = streams
	if changes == nil {
		x.cache.Remove(func(dayKey, listing) bool { return true })
		clear(x.days)
	}
	for i := range changes {
		c := &changes[i]
		x.forgetHourLocked(c.Stream.id, days[i], c.Hour.From90k, c.Listed)
		if c.Listed {
			x.addDayLocked(c)
		}
	}
}

// forgetHour drops what is known of an hour, and which hours of its day there are.
func (x *listings) forgetHour(stream int64, day *calendarDay, from90k int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drops++
	x.forgetHourLocked(stream, day, from90k, true)
}

// forgetHourLocked drops what is known of an hour, and, if that may be others by now, which hours of its day there are.
func (x *listings) forgetHourLocked(stream int64, day *calendarDay, from90k int64, others bool) {
	k := dayKey{stream, day.From90k}
	if _, ok := x.cache.Peek(k); !ok {
		return
	}
	x.replaceLocked(k, len(day.hours), func(y *listing) {
		y.hours[day.index(from90k)] = hourListing{}
		if others {
			y.spans = nil
		}
	})
}

// addDayLocked takes in that recordings were added to a day, or deleted from it.
func (x *listings) addDayLocked(c *Change) {
	known, ok := x.days[c.Stream.id]
	if !ok {
		return
	}
	i, there := slices.BinarySearchFunc(known.days, c.Day.From90k, func(d Span, from90k int64) int { return cmp.Compare(d.From90k, from90k) })
	if !there { // others read the slice
		known.days = slices.Insert(slices.Clone(known.days), i, c.Day)
	}
	if c.deleted && !slices.Contains(known.unsure, c.Day) {
		known.unsure = append(slices.Clone(known.unsure), c.Day)
	}
	x.days[c.Stream.id] = known
}
