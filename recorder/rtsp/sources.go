package rtsp

import "time"

// How a track goes over to another source of RTP packets.
const (
	// nearStamp is how far the timestamps of a source may be from those of the one before, in ticks, where it goes on for that one:
	// 2 s of video. Those of a stranger are near by chance once in 12,000 times.
	nearStamp = 180_000
	// surePackets is how many of them have to come in a row.
	surePackets = 32
	// sureTime is how long nothing of the one before may come, where they are near.
	sureTime = 100 * time.Millisecond
	// leastSilence and mostSilence are how long it must have been silent, where they are not.
	leastSilence = 500 * time.Millisecond
	mostSilence  = 5 * time.Second
	// mostWaiting and mostWaitingBytes are how much of another source waits until then.
	mostWaiting      = 2048
	mostWaitingBytes = 4 << 20
)

// sources follows the source (SSRC, RFC 3550 8) of the packets of a track. Packets of another source are foreign as long as the
// one that is followed goes on, and else the same camera's, which has begun anew. Until it is clear which they are, they wait, so
// that none is lost.
type sources[T any] struct {
	known bool
	ssrc  uint32        // that is followed
	stamp uint32        // its newest timestamp
	last  time.Time     // when its newest packet came
	pause time.Duration // the longest between two of its packets, of late

	other   uint32 // the source whose packets wait
	waiting []T
	bytes   int
	since   time.Time // when the first of them came
	near    bool      // all of their timestamps are near
	foreign int       // packets that were dropped
	out     []T
}

// follow takes in a packet of the source that is followed, where none of another waits.
func (s *sources[T]) follow(ssrc, stamp uint32, now time.Time) bool {
	if !s.known || ssrc != s.ssrc || len(s.waiting) > 0 {
		return false
	}
	s.pause = max(now.Sub(s.last), s.pause-s.pause/64)
	s.stamp, s.last = stamp, now
	return true
}

// add takes in a packet, and returns those that are to be used now. They are valid until the next call.
func (s *sources[T]) add(ssrc, stamp uint32, size int, packet T, now time.Time) []T {
	if !s.known {
		s.known, s.ssrc, s.last = true, ssrc, now
	}
	if ssrc == s.ssrc {
		s.drop()
		s.pause = max(now.Sub(s.last), s.pause-s.pause/64)
		s.stamp, s.last = stamp, now
		s.out = append(s.out[:0], packet)
		return s.out
	}
	if ssrc != s.other || len(s.waiting) == 0 {
		s.drop()
		s.other, s.since, s.near = ssrc, now, true
	}
	if len(s.waiting) == mostWaiting || s.bytes > mostWaitingBytes {
		s.drop()
	}
	s.waiting, s.bytes = append(s.waiting, packet), s.bytes+size
	d := int32(stamp - s.stamp)
	s.near = s.near && -nearStamp < d && d < nearStamp
	silent := now.Sub(s.last)
	switch {
	case s.near && (len(s.waiting) >= surePackets || silent > max(sureTime, s.pause+s.pause/4) && now.After(s.since)):
	case silent > min(max(leastSilence, 2*s.pause), mostSilence):
	default:
		return nil
	}
	s.ssrc, s.stamp, s.last = ssrc, stamp, now
	s.out, s.waiting, s.bytes = append(s.out[:0], s.waiting...), s.waiting[:0], 0
	return s.out
}

// follows reports whether packets of a source are used at once.
func (s *sources[T]) follows(ssrc uint32) bool { return !s.known || ssrc == s.ssrc }

// instead follows another source, if there is one: what comes of the one that is followed is of no use.
func (s *sources[T]) instead() {
	if s.foreign+len(s.waiting) > 0 {
		s.ssrc, s.waiting, s.bytes = s.other, s.waiting[:0], 0
	}
}

// drop takes what waits for foreign.
func (s *sources[T]) drop() {
	if len(s.waiting) == 0 {
		return
	}
	s.foreign += len(s.waiting)
	clear(s.waiting)
	s.waiting, s.bytes = s.waiting[:0], 0
}
