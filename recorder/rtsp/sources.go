package rtsp

import "time"

// How a track goes over to another source of RTP packets.
const (
	// nearStamp is how far the timestamps of a source may be from those of the one before, in ticks, where it goes on for that one:
	// 2 s of video. Those of a stranger are near by chance once in 12,000 times.
	nearStamp = 180_000
	// surePackets is how many of them have to come in a row; fewPackets is enough where yet another source goes on for them.
	surePackets = 32
	fewPackets  = 8
	// sureTime is how long nothing of the one before may come, where they are near.
	sureTime = 100 * time.Millisecond
	// leastSilence and mostSilence are how long it must have been silent, where they are not. As long as the least of it, the other
	// source must have been heard: after a pause of the network, or of this host, what comes first tells nothing.
	leastSilence = 500 * time.Millisecond
	mostSilence  = 5 * time.Second
	// mostWaiting and mostWaitingBytes are how much of another source waits until then.
	mostWaiting      = 2048
	mostWaitingBytes = 4 << 20
	// surelyCounted is how many packets of others have to go on counting where the one before ended, in a row.
	surelyCounted = 3
)

// sources follows the source (SSRC, RFC 3550 8) of the packets of a track. Packets of another source are foreign as long as the
// one that is followed goes on, and else the same camera's, which has begun anew. Until it is clear which they are, they wait, so
// that none is lost.
type sources[T any] struct {
	known  bool
	ssrc   uint32        // that is followed
	stamp  uint32        // its newest timestamp
	number uint16        // its newest sequence number
	fickle bool          // it changes its name, and goes on counting: what is next by number is of it, too
	last   time.Time     // when its newest packet came
	pause  time.Duration // the longest between two of its packets, of late

	other   uint32 // the source whose packets wait
	waiting []T
	bytes   int
	since   time.Time // when the first of them came
	newest  uint32    // the timestamp of the last of them
	near    bool      // all of their timestamps are near
	counted bool      // all of their numbers go on where those of the one that is followed ended
	foreign int       // packets that were dropped
	out     []T
}

// follow takes in a packet of the source that is followed, where none of another waits.
func (s *sources[T]) follow(ssrc, stamp uint32, number uint16, now time.Time) bool {
	if !s.known || ssrc != s.ssrc || len(s.waiting) > 0 {
		return false
	}
	s.goOn(stamp, number, now)
	return true
}

// goOn notes a packet of the source that is followed.
func (s *sources[T]) goOn(stamp uint32, number uint16, now time.Time) {
	s.pause = max(now.Sub(s.last), s.pause-s.pause/64)
	s.stamp, s.number, s.last = stamp, number, now
}

// add takes in a packet, and returns those that are to be used now. They are valid until the next call.
func (s *sources[T]) add(ssrc, stamp uint32, number uint16, size int, packet T, now time.Time) []T {
	if !s.known {
		s.known, s.ssrc, s.last = true, ssrc, now
	}
	s.out = s.out[:0]
	d := int32(stamp - s.stamp)
	near := -nearStamp < d && d < nearStamp
	counted := near && number == s.number+1+uint16(len(s.waiting)) && (s.counted || len(s.waiting) == 0)
	if ssrc == s.ssrc {
		if counted && len(s.waiting) > 0 {
			s.fickle = true
			s.takeOver()
		}
		s.drop()
		s.goOn(stamp, number, now)
		s.out = append(s.out, packet)
		return s.out
	}
	if ssrc != s.other && !counted || len(s.waiting) == 0 {
		if s.near && len(s.waiting) >= fewPackets {
			s.accept(number-1, now) // its next one has begun before it was clear that it is the camera's
		}
		s.drop()
		s.since, s.near, s.counted = now, true, true
	}
	if len(s.waiting) == mostWaiting || s.bytes > mostWaitingBytes {
		s.drop()
	}
	s.other = ssrc
	s.waiting, s.bytes, s.newest = append(s.waiting, packet), s.bytes+size, stamp
	s.near, s.counted = s.near && near, s.counted && counted
	silent, heard := now.Sub(s.last), now.Sub(s.since)
	switch {
	case s.counted && (s.fickle || len(s.waiting) >= surelyCounted):
		s.fickle = true
	case s.near && (len(s.waiting) >= surePackets || silent > max(sureTime, s.pause+s.pause/4) && heard > sureTime):
	case silent > min(max(leastSilence, 2*s.pause), mostSilence) && heard > leastSilence:
	default:
		return s.out
	}
	s.accept(number, now)
	return s.out
}

// accept follows the source whose packets wait, of which the last has a number, and uses these.
func (s *sources[T]) accept(number uint16, now time.Time) {
	s.ssrc, s.stamp, s.number, s.last = s.other, s.newest, number, now
	s.takeOver()
}

// takeOver uses what waits.
func (s *sources[T]) takeOver() {
	s.out = append(s.out, s.waiting...)
	clear(s.waiting)
	s.waiting, s.bytes = s.waiting[:0], 0
}

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
