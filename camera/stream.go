package camera

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/pion/rtcp"

	"nvrfs/mp4/demux"
)

const (
	reportPeriod = 5 * time.Second  // between sender reports to a reader, RFC 3550 6.2
	drainTime    = 10 * time.Second // for a reader to take what is queued, at the end
	leaveTime    = 2 * time.Second  // for a reader to hang up, behind that
	pollPeriod   = 5 * time.Millisecond
)

// stream plays one clip at one path.
type stream struct {
	server  *Server
	clip    *Clip
	rtsp    *gortsplib.ServerStream
	senders map[*demux.Track]*sender
	log     *slog.Logger

	started chan struct{} // closed when the clip is to start
	start   func()

	// Of the goroutine in play.
	epoch  time.Time // wall and monotonic time of 0 on the clip's timeline
	silent bool      // video waits for a sync sample after having been muted

	mu      sync.Mutex
	readers map[*gortsplib.ServerSession]*reader
	ended   bool // no reader is admitted any more
}

// reader is a session that plays.
type reader struct {
	reported map[*sender]time.Time // when the last sender report was queued
	queued   uint64                // RTCP packets, ever
	expelled bool
}

func newStream(s *Server, path string, clip *Clip) (*stream, error) {
	st := &stream{
		server:  s,
		clip:    clip,
		senders: map[*demux.Track]*sender{},
		log:     s.options.Log.With("path", path),
		started: make(chan struct{}),
		readers: map[*gortsplib.ServerSession]*reader{},
	}
	st.start = sync.OnceFunc(func() { close(st.started) })
	if !s.options.StartOnPlay {
		st.start()
	}

	desc := &description.Session{}
	for i, track := range clip.Tracks() {
		sender, err := newSender(track, uint8(96+i))
		if err != nil {
			return nil, err
		}
		desc.Medias = append(desc.Medias, sender.media)
		st.senders[track] = sender
	}
	st.rtsp = &gortsplib.ServerStream{Server: s.rtsp, Desc: desc}
	if err := st.rtsp.Initialize(); err != nil {
		return nil, err
	}
	stats := st.rtsp.Stats()
	for _, sender := range st.senders {
		sender.ssrc = stats.Medias[sender.media].Formats[sender.media.Formats[0]].LocalSSRC
	}
	return st, nil
}

// play sends the clip, in a loop or once, until ctx ends. It returns nil when a
// clip has been sent to its end.
func (st *stream) play(ctx context.Context) error {
	defer st.rtsp.Close()
	select {
	case <-st.started:
	case <-ctx.Done():
		return ctx.Err()
	}
	timeline := newTimeline(st.clip, st.server.options.Once)
	for e, more := timeline.next(); more; e, more = timeline.next() {
		if st.epoch.IsZero() {
			st.epoch = time.Now().Add(-e.due)
		}
		if err := waitUntil(ctx, st.epoch.Add(e.due)); err != nil {
			return err
		}
		st.send(e)
	}
	for _, track := range st.clip.Tracks() {
		if err := waitUntil(ctx, st.epoch.Add(time.Duration(nanoseconds(track, track.End)))); err != nil {
			return err
		}
	}
	st.end(ctx)
	return nil
}

func waitUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send queues a sample for all readers.
func (st *stream) send(e event) {
	if st.server.muted.Load() {
		st.silent = true
		return
	}
	if e.track == st.clip.Video && st.silent {
		if !e.track.Sample(e.index).Sync {
			return
		}
		st.silent = false
	}
	sender := st.senders[e.track]
	packets, err := sender.packetize(e)
	if err != nil {
		st.log.Warn("camera: a sample cannot be sent, and is skipped", "err", err)
		return
	}
	for _, packet := range packets {
		if err := st.rtsp.WritePacketRTPWithNTP(sender.media, packet, st.epoch.Add(e.pts)); err != nil {
			st.log.Warn("camera: a packet could not be sent", "err", err)
		}
	}
	st.report(sender)
}

// report queues a sender report for each reader that is due for one: with the
// first sample that it gets, and periodically then.
func (st *stream) report(s *sender) {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	for session, r := range st.readers {
		if now.Sub(r.reported[s]) < reportPeriod {
			continue
		}
		r.reported[s] = now
		st.queueRTCPLocked(session, s, s.report(now, now.Sub(st.epoch)))
	}
}

// queueRTCPLocked queues a packet for a reader, if it has set that track up.
func (st *stream) queueRTCPLocked(session *gortsplib.ServerSession, s *sender, packet rtcp.Packet) {
	if !slices.Contains(session.Medias(), s.media) {
		return
	}
	if err := session.WritePacketRTCP(s.media, packet); err != nil {
		st.expelLocked(session, err)
		return
	}
	st.readers[session].queued++
}

// end takes leave of the readers, behind the last sample: it says so in band,
// waits until all of that is on its way, and hangs up. Hanging up at once would
// throw away what is queued.
func (st *stream) end(ctx context.Context) {
	st.mu.Lock()
	st.ended = true
	for session := range st.readers {
		for _, s := range st.senders {
			st.queueRTCPLocked(session, s, &rtcp.Goodbye{Sources: []uint32{s.ssrc}})
		}
	}
	st.mu.Unlock()

	st.await(ctx, drainTime, func(session *gortsplib.ServerSession, r *reader) bool {
		return session.Stats().OutboundRTCPPackets >= r.queued
	})
	st.await(ctx, leaveTime, func(session *gortsplib.ServerSession, _ *reader) bool {
		for _, conn := range session.Conns() {
			if c, ok := conn.NetConn().(interface{ CloseWrite() error }); ok {
				_ = c.CloseWrite() // it may be closed already, which is as good
			}
		}
		return false // leave removes it
	})
}

// await returns when the condition holds for all readers, after the time, or when ctx ends.
func (st *stream) await(ctx context.Context, limit time.Duration, condition func(*gortsplib.ServerSession, *reader) bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !st.all(condition) {
		if waitUntil(ctx, time.Now().Add(pollPeriod)) != nil {
			return
		}
	}
}

func (st *stream) all(condition func(*gortsplib.ServerSession, *reader) bool) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	for session, r := range st.readers {
		if !condition(session, r) {
			return false
		}
	}
	return true
}

// over says whether the clip has been played to its end.
func (st *stream) over() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.ended
}

// join counts a reader in, as soon as it gets what is sent. It may be called again.
func (st *stream) join(session *gortsplib.ServerSession) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.readers[session] != nil {
		return
	}
	st.readers[session] = &reader{reported: map[*sender]time.Time{}}
	st.log.Debug("camera: a reader plays", "reader", readerAddress(session), "transport", session.Transport().Protocol)
	st.start()
}

// leave counts a session out that has ended; it need not have played.
func (st *stream) leave(session *gortsplib.ServerSession, reason error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.readers[session] != nil {
		delete(st.readers, session)
		st.log.Debug("camera: a reader left", "reason", reason)
	}
}

// expel disconnects a reader that does not keep up.
func (st *stream) expel(session *gortsplib.ServerSession, reason error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.expelLocked(session, reason)
}

func (st *stream) expelLocked(session *gortsplib.ServerSession, reason error) {
	r := st.readers[session]
	if r == nil || r.expelled {
		return
	}
	r.expelled = true
	st.log.Warn("camera: a reader does not keep up, and is disconnected", "reader", readerAddress(session), "err", reason)
	session.Close()
}

// drop disconnects all readers.
func (st *stream) drop() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for session := range st.readers {
		session.Close()
	}
}

func (st *stream) count() int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.readers)
}

func readerAddress(session *gortsplib.ServerSession) string {
	for _, conn := range session.Conns() {
		return conn.NetConn().RemoteAddr().String()
	}
	return "" // it has hung up
}
