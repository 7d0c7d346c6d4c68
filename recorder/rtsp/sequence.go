package rtsp

import (
	"slices"
	"time"

	"github.com/pion/rtp"
)

const (
	// mostReordered is how many packets may come before one that was sent before them.
	mostReordered = 32
	// reorderTime is how long they wait for it: longer than the kernel may hold it back, see batchTime.
	reorderTime = 3 * batchTime
	// mostLate and mostGap are how far sequence numbers may step back or ahead (RFC 3550 A.1 has about as much). Where they step
	// farther, and go on there, the source counts anew.
	mostLate = 128
	mostGap  = 3000
)

// A packet is one of a track, in order.
type packet struct {
	*rtp.Packet
	received time.Time
	lost     int  // packets before it that did not come
	other    bool // it is of another format than the track, such as comfort noise, and only counts
}

// sequence puts the packets of a source in the order in which they were sent, without those that come twice, and tells exactly
// where packets are missing.
type sequence struct {
	known   bool
	ssrc    uint32
	next    uint16
	waiting []packet // for the one of number next, by their numbers
	far     packet   // whose number is far from next; the one after it tells whether the source counts anew
	strays  int      // packets like that, after which it did not
	numbers numbers
	out     []packet
}

// follow takes in a packet that is the next, where none waits.
func (q *sequence) follow(p *packet) bool {
	if !q.known || p.SSRC != q.ssrc || p.SequenceNumber != q.next || len(q.waiting) > 0 || q.far.Packet != nil || q.numbers.senseless {
		return false
	}
	q.next++
	q.numbers.next(p.SequenceNumber, packetMark(p.Timestamp, p.Payload))
	return true
}

// add takes in a packet, and returns those that are to be used now. They are valid until the next call.
func (q *sequence) add(p packet) []packet {
	q.out = q.out[:0]
	if q.known && p.SSRC != q.ssrc && p.SequenceNumber == q.next {
		q.ssrc = p.SSRC // some cameras change it without counting anew
	}
	ahead := int16(p.SequenceNumber - q.next)
	counted := !q.numbers.senseless
	isFar := ahead < -mostLate || ahead > mostGap
	switch {
	case !q.known || p.SSRC != q.ssrc:
		q.begin(p)
		q.numbers.next(p.SequenceNumber, packetMark(p.Timestamp, p.Payload))
	case q.numbers.add(p.SequenceNumber, packetMark(p.Timestamp, p.Payload), isFar):
		q.release(len(q.waiting))
		if counted {
			p.lost = 1 // what was dropped until now, because its numbers were taken for those of packets that came before
		}
		q.far, q.next = packet{}, p.SequenceNumber+1
		q.out = append(q.out, p)
		return q.out
	case isFar:
		far := q.far
		if q.far = p; far.Packet == nil || p.SequenceNumber != far.SequenceNumber+1 {
			q.stray(far)
			return nil
		}
		q.far = packet{}
		q.begin(far)
		if ahead > 0 {
			far.lost = 1 // or more: nobody knows
		}
		q.out = append(q.out, far)
		q.next++
	case ahead < 0:
		return nil // it came before, or is taken for lost
	}
	q.stray(q.far)
	q.far = packet{}
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

// stray counts a packet that is dropped, if there is one.
func (q *sequence) stray(p packet) {
	if p.Packet != nil {
		q.strays++
	}
}

// begin has the source count from a packet.
func (q *sequence) begin(p packet) {
	q.release(len(q.waiting))
	if !q.known || p.SSRC != q.ssrc {
		q.numbers = numbers{}
	}
	q.known, q.ssrc, q.next = true, p.SSRC, p.SequenceNumber
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
