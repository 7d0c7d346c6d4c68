package rtsp

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/pion/rtp"

	"nvrfs/codec"
	"nvrfs/codec/codectest"
	"nvrfs/media"
)

// oddReceiver is a receiver of sound that does what none should.
type oddReceiver struct {
	entry    media.SampleEntry
	dts      int64
	panics   bool
	fails    error
	newEntry bool
}

func (r *oddReceiver) Packet(pkt *rtp.Packet, received time.Time) ([]codec.Unit, error) {
	if r.panics {
		panic("odd")
	}
	return []codec.Unit{{Parts: [][]byte{pkt.Payload}, Timestamp: pkt.Timestamp, Received: received}}, nil
}

func (r *oddReceiver) Lost()                    {}
func (r *oddReceiver) Flush() []codec.Unit      { return nil }
func (r *oddReceiver) Entry() media.SampleEntry { return r.entry }

func (r *oddReceiver) Samples(u codec.Unit, pts int64) ([]media.Sample, bool, error) {
	newEntry := r.newEntry
	r.dts, r.newEntry = max(r.dts+1, pts), false
	return []media.Sample{{DTS: r.dts, Duration: 160, Sync: true, Data: u.Parts[0]}}, newEntry, r.fails
}

// oddSession is a session without a connection, of a picture and of sound that its receiver makes.
type oddSession struct {
	*session
	h        *entryKeeper
	receiver *oddReceiver
	log      *logBuffer
	now      time.Time
	n        int
}

// entryKeeper keeps what a Handler is told of tracks.
type entryKeeper struct {
	collector
	runs    [][]media.SampleEntry
	entries []media.SampleEntry // of the sound
}

func (k *entryKeeper) NewRun(tracks []media.SampleEntry, reason string) error {
	k.runs = append(k.runs, tracks)
	if len(tracks) == 2 {
		k.tracks = tracks
	}
	return k.collector.NewRun(tracks, reason)
}

func (k *entryKeeper) NewEntry(track int, e media.SampleEntry) error {
	if track == 1 {
		k.entries = append(k.entries, e)
		return nil
	}
	return k.collector.NewEntry(track, e)
}

func newOddSession(t *testing.T, r *oddReceiver, withVideo bool) *oddSession {
	t.Helper()
	x := &oddSession{h: &entryKeeper{collector: collector{t: t}}, receiver: r, log: new(logBuffer), now: time.Now()}
	x.session = newSession(&Source{Log: slog.New(slog.NewTextHandler(x.log, nil))}, x.h)
	medias := []*description.Media{aacMedia()}
	if withVideo {
		medias = append(medias, h264Media(codectest.SPS(10, 0, false), codectest.PPS(0)))
	}
	if _, err := x.choose(&description.Session{Medias: medias}); err != nil {
		t.Fatal(err)
	}
	x.audio.receiver = r
	x.beginSound()
	return x
}

// send sends some seconds of 25 pictures and 50 packets of sound.
func (x *oddSession) send(seconds float64) {
	for range int(seconds * 25) {
		for range 2 {
			x.receive(x.audio, &rtp.Packet{Header: rtp.Header{SSRC: 2, SequenceNumber: uint16(x.n), Timestamp: uint32(x.n) * x.audio.hz / 50, Marker: true}, Payload: []byte{1, 2}})
			x.n++
			x.now = x.now.Add(20 * time.Millisecond)
		}
		if x.video != nil {
			n := x.n/2 - 1
			x.receive(x.video, &rtp.Packet{
				Header:  rtp.Header{SSRC: 1, SequenceNumber: uint16(n), Timestamp: uint32(n) * 3600, Marker: true},
				Payload: codectest.Slice(n%25 == 0, n%25*2),
			})
		}
	}
}

func (x *oddSession) receive(t *track, p *rtp.Packet) {
	now := x.now
	x.handle(t.packets, func(time.Time) error { return x.packet(t, packet{Packet: p, received: now}) })
}

func (x *oddSession) check(t *testing.T, pictures int, sounds bool, said string) {
	t.Helper()
	x.end()
	if err := x.reason(nil); err != nil {
		t.Fatalf("the session ends for %v", err)
	}
	if n := len(x.h.samples[0]); n != pictures {
		t.Errorf("%d pictures came, want %d", n, pictures)
	}
	if n := len(x.h.samples[1]); n > 0 != sounds {
		t.Errorf("%d sounds came", n)
	}
	if said != "" && strings.Count(x.log.String(), said) != 1 {
		t.Errorf("want %q once in the log:\n%s", said, x.log)
	}
}

func soundEntry(rate uint32) media.SampleEntry {
	return media.SampleEntry{Kind: media.Audio, Codec: "mp4a.40.2", Timescale: rate, Box: []byte{byte(rate >> 8), byte(rate)}}
}

// TestSoundFails has what takes the sound fail and panic: every picture comes.
func TestSoundFails(t *testing.T) {
	x := newOddSession(t, &oddReceiver{entry: soundEntry(8000), panics: true}, true)
	x.send(10)
	x.check(t, 250, false, "the camera's sound cannot be taken")
	x = newOddSession(t, &oddReceiver{entry: soundEntry(8000), fails: errors.New("odd")}, true)
	x.send(10)
	x.check(t, 250, false, "lost=0 damaged=1")
}

// TestSoundThatTakesOn has sound whose entry is known late, and changes: a run begins where its tracks are others, and the Handler
// is told where only the entry is.
func TestSoundThatTakesOn(t *testing.T) {
	r := &oddReceiver{entry: media.SampleEntry{Kind: media.Audio, Timescale: 8000}}
	x := newOddSession(t, r, true)
	x.send(7)
	if len(x.h.tracks) != 1 || len(x.h.samples[1]) > 0 {
		t.Fatalf("it starts with %d tracks", len(x.h.tracks))
	}
	r.entry, r.newEntry = soundEntry(8000), true
	x.send(3)
	if len(x.h.runs) != 1 || len(x.h.runs[0]) != 2 || x.h.newRuns[0] != "the camera's sound began" || len(x.h.samples[1]) < 90 {
		t.Fatalf("runs begin for %q, of %d; %d sounds", x.h.newRuns, len(x.h.runs), len(x.h.samples[1]))
	}
	r.entry.Box, r.newEntry = []byte("other"), true
	x.send(3)
	if len(x.h.entries) != 1 || len(x.h.runs) != 1 {
		t.Fatalf("%d entries, %d runs", len(x.h.entries), len(x.h.runs))
	}
	r.entry, r.newEntry, r.dts = soundEntry(16000), true, 0
	x.send(65) // a run a minute
	if len(x.h.runs) != 2 || x.h.runs[1][1].Timescale != 16000 || x.h.newRuns[1] != "the camera's sound changed" {
		t.Fatalf("runs begin for %q", x.h.newRuns)
	}
	x.check(t, 78*25, true, "")
}

// TestOddSoundAlone has a camera of sound alone, whose clock jumps.
func TestOddSoundAlone(t *testing.T) {
	r := &oddReceiver{entry: soundEntry(8000)}
	x := newOddSession(t, r, false)
	x.send(10)
	x.n += 50 * 3600
	x.send(10)
	x.check(t, 1000, false, "the clock of the camera's sound is wrong")
	if len(x.h.tracks) != 1 || len(x.h.newRuns) != 1 || !strings.Contains(x.h.newRuns[0], "sound jumped 3600.0 s ahead") {
		t.Errorf("%d tracks, runs begin for %q", len(x.h.tracks), x.h.newRuns)
	}
}
