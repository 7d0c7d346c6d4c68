package rtsp

import (
	"slices"
	"time"

	"github.com/pion/rtp"
)

const (
	// mostReordered is how many packets may come before one that was sent before them.
	mostReordered = 32
	// reorderTime is how long they wait for it.
	reorderTime = 100 * time.Millisecond
	// mostLate is how far the sequence numbers of a source may go back where a packet is only late; beyond, it counts anew.
	mostLate = 128
)

// A packet is one of a track, in order.
type packet struct {
	*rtp.Packet
	received time.Time
	lost     int // packets before it that did not come
}

// sequence puts the packets of a source in the order in which they were sent, without those that come twice, and tells exactly
// where packets are missing.
type sequence struct {
	known   bool
	ssrc    uint32
	next    uint16
	waiting []packet // for the one of number next, by their numbers
	out     []packet
}

// add takes in a packet, and returns those that are to be used now. They are valid until the next call.
func (q *sequence) add(p packet) []packet {
	q.out = q.out[:0]
	ahead := int16(p.SequenceNumber - q.next)
	switch {
	case !q.known || p.SSRC != q.ssrc || ahead < -mostLate:
		q.release(len(q.waiting))
		q.known, q.ssrc, q.next = true, p.SSRC, p.SequenceNumber
	case ahead < 0:
		return nil // it came before, or is taken for lost
	}
	if p.SequenceNumber == q.next && len(q.waiting) == 0 {
		q.next++
		q.out = append(q.out, p)
		return q.out
	}
	at, twice := slices.BinarySearchFunc(q.waiting, p.SequenceNumber-q.next, func(w packet, ahead uint16) int {
		return int(w.SequenceNumber-q.next) - int(ahead)
	})
	if twice {
		return nil
	}
	q.waiting = slices.Insert(q.waiting, at, p)
	if len(q.waiting) > mostReordered || p.received.Sub(q.oldest()) > reorderTime {
		q.release(1)
	}
	for len(q.waiting) > 0 && q.waiting[0].SequenceNumber == q.next {
		q.release(1)
	}
	return q.out
}

// oldest is when the first of those that wait came.
func (q *sequence) oldest() time.Time {
	oldest := q.waiting[0].received
	for _, w := range q.waiting {
		if w.received.Before(oldest) {
			oldest = w.received
		}
	}
	return oldest
}

// overdue returns the packets that have waited long enough.
func (q *sequence) overdue(now time.Time) []packet {
	q.out = q.out[:0]
	if len(q.waiting) > 0 && now.Sub(q.oldest()) > reorderTime {
		q.release(len(q.waiting))
	}
	return q.out
}

// release puts out the first n of those that wait. What is missing before them is lost.
func (q *sequence) release(n int) {
	for _, w := range q.waiting[:n] {
		w.lost = int(w.SequenceNumber - q.next)
		q.next = w.SequenceNumber + 1
		q.out = append(q.out, w)
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
}
