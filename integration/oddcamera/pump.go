package oddcamera

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// A Unit is an access unit as it is sent: the NAL units of a picture, or a packet's worth of sound.
type Unit struct {
	Track     int
	N         int    // counts the units of the track, from 0, on from lap to lap
	Timestamp uint32 // of its packets
	Parts     [][]byte
	Sync      bool
}

// A Packet is an RTP packet about to be sent.
type Packet struct {
	rtp.Packet
	Unit        *Unit
	First, Last bool   // of its unit
	Raw         []byte // sent instead of the packet, where it is not nil
}

// pumpedTrack is what a session knows of a track that it sends.
type pumpedTrack struct {
	*Track
	index    int
	next     int // the unit to be sent next
	sequence uint16
	packets  uint32
	octets   uint32
	reported time.Time
}

// SSRC is the synchronisation source of a track.
func SSRC(track int) uint32 { return 0x0dd00000 + uint32(track) }

// FirstTimestamp is the RTP timestamp of a track's time 0. That of the picture soon wraps.
func FirstTimestamp(track int) uint32 { return 0xfffe0000 + uint32(track)<<20 }

// pump sends the tracks that are set up, until the client is gone.
func (s *Session) pump() {
	var tracks []*pumpedTrack
	lap := time.Duration(0)
	s.hooks.Lock()
	for i, t := range s.Camera.Tracks {
		if s.routes[i] != nil {
			tracks = append(tracks, &pumpedTrack{Track: t, index: i, sequence: uint16(65500 + i)})
			lap = max(lap, t.at(t.Length))
		}
	}
	s.hooks.Unlock()
	if len(tracks) == 0 {
		return
	}
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t, at := nextDue(tracks, lap)
		timer.Reset(time.Until(start.Add(time.Duration(float64(at) / s.Camera.Case.Speed))))
		select {
		case <-s.gone:
			return
		case <-timer.C:
		}
		s.hooks.Lock()
		s.sendNext(t, lap, start.Add(at))
		s.hooks.Unlock()
	}
}

// nextDue returns the track whose next unit comes first, and when that is, from the start.
func nextDue(tracks []*pumpedTrack, lap time.Duration) (*pumpedTrack, time.Duration) {
	var due *pumpedTrack
	var when time.Duration
	for _, t := range tracks {
		n := len(t.Units)
		at := t.at(t.Units[t.next%n].Sent) + time.Duration(t.next/n)*lap
		if due == nil || at < when {
			due, when = t, at
		}
	}
	return due, when
}

// sendNext sends the next unit of a track. wall is its time by the camera's clock.
func (s *Session) sendNext(t *pumpedTrack, lap time.Duration, wall time.Time) {
	n := len(t.Units)
	tu := t.Units[t.next%n]
	laps := int64(t.next/n) * int64(lap) * int64(t.Rate) / int64(time.Second)
	u := &Unit{
		Track: t.index, N: t.next, Parts: tu.Parts, Sync: tu.Sync,
		Timestamp: FirstTimestamp(t.index) + uint32(tu.Shown+laps),
	}
	t.next++
	s.report(t, wall, FirstTimestamp(t.index)+uint32(tu.Sent+laps))
	units := []*Unit{u}
	if hook := s.Camera.Case.Unit; hook != nil {
		units = hook(s, u)
	}
	for _, u := range units {
		s.sendUnit(t, u)
	}
}

func (s *Session) sendUnit(t *pumpedTrack, u *Unit) {
	s.Camera.mu.Lock()
	s.Camera.sent = append(s.Camera.sent, Sent{*u, s.N, time.Now()})
	s.Camera.mu.Unlock()
	payloads := t.Payloads(u.Parts)
	for i, payload := range payloads {
		p := &Packet{Unit: u, First: i == 0, Last: i == len(payloads)-1}
		p.Header = rtp.Header{
			Version: 2, PayloadType: t.PayloadType, SequenceNumber: t.sequence,
			Timestamp: u.Timestamp, SSRC: SSRC(t.index), Marker: p.Last,
		}
		p.Payload = payload
		t.sequence++
		packets := []*Packet{p}
		if hook := s.Camera.Case.Packet; hook != nil {
			packets = hook(s, p)
		}
		for _, p := range packets {
			s.sendPacket(t, p)
		}
	}
}

func (s *Session) sendPacket(t *pumpedTrack, p *Packet) {
	data := p.Raw
	if data == nil {
		var err error
		if data, err = p.Marshal(); err != nil {
			panic("oddcamera: a packet that cannot be marshalled; set its Raw: " + err.Error())
		}
	}
	t.packets++
	t.octets += uint32(len(p.Payload))
	s.routes[t.index].rtp(data)
}

// ntp converts a time for a sender report (RFC 3550 4).
func ntp(t time.Time) uint64 {
	since := t.Sub(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)) // 292 years at most
	seconds := uint64(since / time.Second)
	return seconds<<32 | uint64(since%time.Second)<<32/uint64(time.Second)
}

func (s *Session) report(t *pumpedTrack, wall time.Time, timestamp uint32) {
	if !t.reported.IsZero() && wall.Sub(t.reported) < s.Camera.Case.ReportEvery {
		return
	}
	t.reported = wall
	r := &rtcp.SenderReport{SSRC: SSRC(t.index), NTPTime: ntp(wall), RTPTime: timestamp, PacketCount: t.packets, OctetCount: t.octets}
	if hook := s.Camera.Case.Report; hook != nil && !hook(s, t.index, r) {
		return
	}
	data, err := r.Marshal()
	if err != nil {
		panic("oddcamera: a sender report that cannot be marshalled: " + err.Error())
	}
	s.routes[t.index].rtcp(data)
}
