package rtsp

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"nvrfs/integration/oddcamera"
	"nvrfs/media"
)

// A clockCase is a camera whose times, sources or sound are odd. It is recorded in real time.
type clockCase struct {
	oddcamera.Case
	transports []Transport // TCP and UDP where nil
	sound      bool        // the camera has AAC
	slower     float64     // by how many times units come more slowly than they are stamped; 1 where 0
	until      int         // how many pictures are recorded; 300 where 0

	runs   []string // the reasons of runs that begin, each in one of them; none where nil
	log    string   // is in the log, once
	apart  float64  // by how many seconds sound and picture may come apart, for their times; 0.3 where 0
	spread float64  // by how many seconds pictures of a run may come later than others, for their times; mostSpread where 0
	silent bool     // no sound comes
	late   bool     // recording begins some seconds late
	moves  bool     // another run may begin, to put the sound in its place
}

// everyUnit changes the timestamps of a track, given as ticks since its first.
func stamps(track int, change func(n int, ts int64) int64) oddcamera.Case {
	return oddcamera.Case{Unit: func(_ *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track == track {
			first := oddcamera.FirstTimestamp(track)
			u.Timestamp = first + uint32(change(u.N, int64(u.Timestamp-first)))
		}
		return []*oddcamera.Unit{u}
	}}
}

// from moves the timestamps of a track from a unit on.
func from(track, n int, by int64) oddcamera.Case {
	return stamps(track, func(i int, ts int64) int64 {
		if i >= n {
			ts += by
		}
		return ts
	})
}

// packetsOf changes what is sent of a track.
func packetsOf(track int, change func(p *oddcamera.Packet) []*oddcamera.Packet) oddcamera.Case {
	return oddcamera.Case{Packet: func(_ *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		if p.Unit.Track != track {
			return []*oddcamera.Packet{p}
		}
		return change(p)
	}}
}

// beside sends another packet before each n-th of a track, from a unit on.
func beside(track, n, unit int, make func(p oddcamera.Packet) *oddcamera.Packet) oddcamera.Case {
	return packetsOf(track, func(p *oddcamera.Packet) []*oddcamera.Packet {
		if p.Unit.N >= unit && int(p.SequenceNumber)%n == 0 {
			return []*oddcamera.Packet{make(*p), p}
		}
		return []*oddcamera.Packet{p}
	})
}

func foreign(p oddcamera.Packet) *oddcamera.Packet {
	p.SSRC, p.Payload = 0xbad, []byte{0x65, 0x88, 1, 2, 3}
	return &p
}

// reports changes the sender reports, which come each second. n counts them.
func reports(change func(track int, r *rtcp.SenderReport, n int)) oddcamera.Case {
	return oddcamera.Case{ReportEvery: time.Second, Report: func(_ *oddcamera.Session, track int, r *rtcp.SenderReport) bool {
		change(track, r, int(r.PacketCount/48))
		return true
	}}
}

const (
	pictureJumps = "the clock of the camera's picture jumped "
	pictureRate  = "the clock of the camera's picture counts "
	pictureWrong = "the clock of the camera's picture is wrong"
	pictureRated = "the clock of the camera's picture runs at another rate"
	soundWrong   = "the clock of the camera's sound is wrong"
	soundRated   = "the clock of the camera's sound runs at another rate"
	lossLine     = "RTP packets of the camera were lost or damaged" // at first, and then the sum
	strangers    = "the camera sends packets of another stream"
)

var clockCases = map[string]clockCase{
	"a timestamp twice": {Case: stamps(0, func(n int, ts int64) int64 {
		if n%50 == 49 {
			ts -= 3600
		}
		return ts
	})},
	"5 ms back": {Case: stamps(0, func(n int, ts int64) int64 {
		if n%50 == 49 {
			ts -= 4050
		}
		return ts
	}), sound: true},
	"a clock that stands":      {Case: stamps(0, func(_ int, ts int64) int64 { return min(ts, 60*3600) }), sound: true, runs: []string{"picture stood still"}, log: pictureWrong},
	"1 s back":                 {Case: from(0, 110, -90000), runs: []string{"picture stood still"}, log: pictureWrong},
	"an hour ahead":            {Case: from(0, 110, 3600*90000), sound: true, runs: []string{pictureJumps + "3600.0 s ahead"}, log: pictureWrong},
	"an hour back":             {Case: from(0, 110, -3600*90000), sound: true, runs: []string{pictureJumps + "3600.0 s back"}, log: pictureWrong},
	"half of all timestamps":   {Case: from(0, 110, 1<<31), runs: []string{pictureJumps}, log: pictureWrong},
	"one picture an hour back": {Case: stamps(0, func(n int, ts int64) int64 { return ts - int64(b2i(n == 110))*3600*90000 }), runs: []string{pictureJumps}, log: pictureWrong},
	"a clock that starts anew": {Case: stamps(0, func(n int, ts int64) int64 { return ts - int64(n/110)*110*3600 }), runs: []string{pictureJumps}, log: pictureWrong},
	"senseless timestamps":     {Case: stamps(0, func(n int, _ int64) int64 { return int64(uint32(n) * 2654435761) }), runs: []string{"the clock of the camera's picture"}, log: pictureWrong},
	"21 a second for 25":       {slower: 25.0 / 21, sound: true, runs: []string{pictureRate + "75"}, log: pictureRated},
	"10 a second for 25":       {slower: 2.5, until: 150, runs: []string{"picture"}, log: pictureRated},
	"30 a second for 25":       {slower: 25.0 / 30, until: 400, runs: []string{pictureRate + "10"}, log: pictureRated},
	"milliseconds":             {Case: stamps(0, func(_ int, ts int64) int64 { return ts / 90 }), sound: true, runs: []string{"picture"}, log: pictureRated},

	// Until the next sender report, some five seconds, it may as well be an encoder that is late: a session keeps wall time all the same.
	"a clock that halves":             {spread: 4, transports: overTCP, Case: stamps(0, func(n int, ts int64) int64 { return min(ts, 150*3600) + max(0, ts-150*3600)/2 }), sound: true, until: 420, runs: []string{"picture"}, log: pictureRated},
	"pictures that jitter":            {transports: overTCP, Case: stamps(0, func(n int, ts int64) int64 { return ts + int64(n*7919%81-40)*90 }), sound: true},
	"two of one timestamp":            {transports: overTCP, Case: stamps(0, func(n int, ts int64) int64 { return ts - int64(n%2)*3600 }), sound: true},
	"a wrap soon and again":           {transports: overTCP, Case: stamps(0, func(n int, ts int64) int64 { return ts + 1<<32 - 1<<17 }), sound: true},
	"a picture in 4 s":                {transports: overTCP, Case: oddcamera.Case{Unit: without(0, func(n int) bool { return n%100 > 0 })}, sound: true, until: 4},
	"sound at 44.1 that is called 48": {transports: overTCP, Case: stamps(1, func(_ int, ts int64) int64 { return ts * 441 / 480 }), sound: true, until: 400, log: soundRated},
	"sound that counts bytes":         {transports: overTCP, Case: stamps(1, func(n int, ts int64) int64 { return ts * 4 }), sound: true, until: 400, runs: []string{"sound was"}, log: soundRated},
	"sound that counts packets":       {transports: overTCP, Case: stamps(1, func(n int, _ int64) int64 { return int64(n) }), sound: true, log: soundRated, apart: 3},
	"sound that jitters":              {transports: overTCP, Case: stamps(1, func(n int, ts int64) int64 { return ts + int64(n*7919%81-40)*48 }), sound: true},
	"sound in bursts of a second":     {transports: overTCP, Case: oddcamera.Case{Unit: bursts(1, 47)}, sound: true, apart: 1},
	"sound twice": {transports: overTCP, Case: oddcamera.Case{Unit: func(_ *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track == 1 {
			return []*oddcamera.Unit{u, u}
		}
		return []*oddcamera.Unit{u}
	}}, sound: true, apart: 3},
	"silences": {transports: overTCP, Case: oddcamera.Case{Unit: without(1, func(n int) bool { return n/94%2 == 1 })}, sound: true},
	"BYE of the picture": {Case: oddcamera.Case{Unit: func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track == 0 && u.N%50 == 49 {
			s.Write(oddcamera.Frame(1, rtcpOf(&rtcp.Goodbye{Sources: []uint32{oddcamera.SSRC(0)}})))
		}
		return []*oddcamera.Unit{u}
	}}, sound: true, transports: []Transport{TCP}},
	"reports of local time for sound": {transports: overTCP, Case: reports(func(track int, r *rtcp.SenderReport, _ int) { r.NTPTime += uint64(track) * 3600 << 32 }), sound: true},
	"reports of a second":             {transports: overTCP, Case: reports(func(_ int, r *rtcp.SenderReport, _ int) { r.NTPTime &^= 0xffffffff }), sound: true, moves: true, apart: 1},

	"foreign packets":                 {Case: beside(0, 5, 1, foreign), sound: true, log: strangers},
	"a foreign stream":                {Case: beside(0, 1, 1, func(p oddcamera.Packet) *oddcamera.Packet { f := foreign(p); f.Timestamp *= 77; return f }), log: strangers},
	"a foreign stream from the first": {Case: beside(0, 1, 0, func(p oddcamera.Packet) *oddcamera.Packet { f := foreign(p); f.SequenceNumber *= 3; return f }), late: true, log: strangers},
	"packets of another payload type": {Case: beside(0, 5, 1, func(p oddcamera.Packet) *oddcamera.Packet { p.PayloadType = 110; return &p }), log: strangers},
	"RTCP in between": {Case: beside(0, 50, 1, func(p oddcamera.Packet) *oddcamera.Packet {
		raw, _ := (&rtcp.SenderReport{SSRC: p.SSRC, NTPTime: 1, RTPTime: p.Timestamp}).Marshal()
		return &oddcamera.Packet{Unit: p.Unit, Raw: raw}
	}), log: strangers},
	"another source with each GOP": {Case: packetsOf(0, func(p *oddcamera.Packet) []*oddcamera.Packet {
		gop := p.Unit.N / 25
		p.SSRC, p.SequenceNumber = p.SSRC+uint32(gop), p.SequenceNumber-uint16(gop*20000)
		return []*oddcamera.Packet{p}
	}), sound: true},
	"another source that starts anew": {Case: packetsOf(0, func(p *oddcamera.Packet) []*oddcamera.Packet {
		if p.Unit.N >= 110 {
			p.SSRC, p.SequenceNumber, p.Timestamp = 7, p.SequenceNumber-30000, p.Timestamp+1<<30
		}
		return []*oddcamera.Packet{p}
	}), runs: []string{pictureJumps}, log: pictureWrong},
	"numbers that jump ahead": {Case: packetsOf(0, func(p *oddcamera.Packet) []*oddcamera.Packet {
		p.SequenceNumber += uint16(p.Unit.N / 25 * 9000)
		return []*oddcamera.Packet{p}
	}), transports: []Transport{TCP}, log: lossLine},
	"numbers that start anew": {Case: packetsOf(0, func(p *oddcamera.Packet) []*oddcamera.Packet {
		p.SequenceNumber -= uint16(p.Unit.N / 25 * 9000)
		return []*oddcamera.Packet{p}
	})},
	"packets twice":              {Case: packetsOf(0, func(p *oddcamera.Packet) []*oddcamera.Packet { return []*oddcamera.Packet{p, p} })},
	"packets that change places": {Case: swapped()},

	"reports of 1970":           {Case: reports(func(_ int, r *rtcp.SenderReport, _ int) { r.NTPTime = 2208988800 << 32 }), sound: true},
	"reports of no year":        {Case: reports(func(track int, r *rtcp.SenderReport, n int) { r.NTPTime = uint64(n*track+1) * 0x9e3779b97f4a7c15 }), sound: true},
	"reports of other packets":  {Case: reports(func(_ int, r *rtcp.SenderReport, n int) { r.RTPTime = uint32(n) * 2654435761 }), sound: true},
	"reports of other sources":  {Case: reports(func(_ int, r *rtcp.SenderReport, n int) { r.SSRC += uint32(n); r.NTPTime += uint64(n) << 34 }), sound: true},
	"reports that jump an hour": {Case: reports(func(_ int, r *rtcp.SenderReport, n int) { r.NTPTime += uint64(n/6*3600) << 32 }), sound: true},
	"no reports":                {Case: oddcamera.Case{Report: func(*oddcamera.Session, int, *rtcp.SenderReport) bool { return false }}, sound: true},

	"sound 3 s back":                    {Case: from(1, 200, -3*48000), sound: true, log: soundWrong},
	"sound an hour ahead":               {Case: from(1, 200, 3600*48000), sound: true, log: soundWrong},
	"sound that jumps with each packet": {Case: stamps(1, func(n int, _ int64) int64 { return int64(uint32(n) * 2654435761) }), sound: true, log: soundWrong},
	"sound at 90 kHz":                   {Case: stamps(1, func(_ int, ts int64) int64 { return ts * 90 / 48 }), sound: true, until: 400, runs: []string{"sound was"}, log: soundRated},
	"sound that is 10 % slow":           {Case: stamps(1, func(_ int, ts int64) int64 { return ts * 9 / 10 }), sound: true, until: 400, log: soundRated},
	"sound that stands":                 {Case: stamps(1, func(int, int64) int64 { return 0 }), sound: true, log: soundWrong, apart: 3},
	"sound that stops":                  {Case: oddcamera.Case{Unit: without(1, func(n int) bool { return n > 150 })}, sound: true},
	"sound that never comes":            {Case: oddcamera.Case{Unit: without(1, func(int) bool { return true })}, sound: true, silent: true},
	"sound that comes later":            {Case: oddcamera.Case{Unit: without(1, func(n int) bool { return n < 250 })}, sound: true, apart: 0.5, moves: true},
	"sound that is no sound": {Case: packetsOf(1, func(p *oddcamera.Packet) []*oddcamera.Packet {
		p.Payload = []byte{0xff, 0xff, 0x12}
		return []*oddcamera.Packet{p}
	}), sound: true, silent: true, log: lossLine},
	"sound of foreign packets": {Case: beside(1, 5, 1, foreign), sound: true, log: strangers},
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// without leaves out some units of a track.
func without(track int, out func(n int) bool) func(*oddcamera.Session, *oddcamera.Unit) []*oddcamera.Unit {
	return func(_ *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track == track && out(u.N) {
			return nil
		}
		return []*oddcamera.Unit{u}
	}
}

// bursts has n units of a track sent at once.
func bursts(track, n int) func(*oddcamera.Session, *oddcamera.Unit) []*oddcamera.Unit {
	var mu sync.Mutex
	kept := map[*oddcamera.Session][]*oddcamera.Unit{}
	return func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.Track != track {
			return []*oddcamera.Unit{u}
		}
		mu.Lock()
		defer mu.Unlock()
		all := append(kept[s], u)
		if kept[s] = all; len(all) < n {
			return nil
		}
		kept[s] = nil
		return all
	}
}

// swapped has every tenth packet of a picture come after the one that follows it.
func swapped() oddcamera.Case {
	var mu sync.Mutex
	kept := map[*oddcamera.Session]*oddcamera.Packet{}
	return oddcamera.Case{Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		mu.Lock()
		defer mu.Unlock()
		if p.SequenceNumber%10 == 0 && p.Unit.N > 0 {
			kept[s] = p
			return nil
		}
		if first := kept[s]; first != nil {
			kept[s] = nil
			return []*oddcamera.Packet{p, first}
		}
		return []*oddcamera.Packet{p}
	}}
}

// timekeeper is a Handler that holds the times of samples against when they come, as the runs of a session do.
type timekeeper struct {
	collector
	runs [][2]spread
}

// spread is by how much samples of a run come later than their times, in seconds.
type spread struct {
	n           int
	least, most float64
	sum         float64
}

func (s *spread) add(late float64) {
	if s.n++; s.n == 1 {
		s.least, s.most = late, late
	}
	s.least, s.most, s.sum = min(s.least, late), max(s.most, late), s.sum+late
}

func (k *timekeeper) Start(tracks []media.SampleEntry) error {
	k.runs = append(k.runs, [2]spread{})
	return k.collector.Start(tracks)
}

func (k *timekeeper) NewRun(tracks []media.SampleEntry, reason string) error {
	k.mu.Lock()
	k.runs = append(k.runs, [2]spread{})
	k.mu.Unlock()
	return k.collector.NewRun(tracks, reason)
}

var timekeeperStart = time.Now()

func (k *timekeeper) Sample(s media.Sample) error {
	k.mu.Lock()
	rate := 90000.0
	if s.Track == 1 {
		rate = float64(k.tracks[1].Timescale)
	}
	k.runs[len(k.runs)-1][s.Track].add(s.Received.Sub(timekeeperStart).Seconds() - float64(s.PTS())/rate)
	k.mu.Unlock()
	return k.collector.Sample(s)
}

// TestOddClocks records each odd camera, in real time: every picture comes, in its order, and times are never off from when the
// pictures came by more than 2 s.
func TestOddClocks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	// Each mostly waits, so that more of them than there are processors run at a time.
	var wg sync.WaitGroup
	defer wg.Wait()
	turns := make(chan struct{}, 40)
	for _, name := range slices.Sorted(maps.Keys(clockCases)) {
		c := clockCases[name]
		if c.transports == nil {
			c.transports = []Transport{TCP, UDP}
		}
		for _, transport := range c.transports {
			wg.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				t.Run(name+" over "+string(transport), func(t *testing.T) { testClock(t, c, transport) })
			})
		}
	}
}

// watchHost returns what tells for how long this process was not run at a stretch, at most, since.
func watchHost(t *testing.T) (paused func() time.Duration) {
	var most atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for last := time.Now(); ctx.Err() == nil; last = time.Now() {
			time.Sleep(5 * time.Millisecond)
			most.Store(max(most.Load(), int64(time.Since(last))))
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	return func() time.Duration { return time.Duration(most.Load()) }
}

// mostSpread is by how many seconds media times may be off from arrival. A clock of another rate is noticed before they are by 2 s, and
// what came before that is not shifted any more. Wall times are the session's, which holds them to 2 s.
const mostSpread = 2.3

// mostPause is for how long the host may not run the camera, or who records it, where the times of a case are to mean something. Those
// of simulated clocks (TestTimelineOfWrongClocks) do in any case.
const mostPause = 40 * time.Millisecond

func testClock(t *testing.T, c clockCase, transport Transport) {
	paused := watchHost(t)
	until := c.until
	if until == 0 {
		until = 300
	}
	tracks := []*oddcamera.Track{oddcamera.DemoVideo()}
	if c.slower > 0 {
		for i := range tracks[0].Units {
			tracks[0].Units[i].Sent = int64(float64(tracks[0].Units[i].Sent) * c.slower)
		}
		tracks[0].Length = int64(float64(tracks[0].Length) * c.slower)
	}
	if c.sound {
		tracks = append(tracks, oddcamera.DemoSound())
	}
	cam := oddcamera.Start(t, c.Case, tracks...)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	log := new(logBuffer)
	k := &timekeeper{collector: collector{t: t, onSample: nil}}
	k.onSample = func(s media.Sample) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if len(k.samples[0]) >= until {
			cancel()
		}
		return nil
	}
	source := &Source{URL: cam.URL, Transport: transport, Log: slog.New(slog.NewTextHandler(log, nil))}
	if err := source.Run(ctx, k); err != nil || len(k.samples[0]) < until {
		t.Fatalf("%d pictures, %v", len(k.samples[0]), err)
	}
	if transport == UDP {
		k.needDatagrams(t)
	}
	if !c.late {
		checkSent(t, &k.collector, cam, false)
	}
	if pause := paused(); pause > mostPause {
		t.Logf("the host was too slow for times to mean anything: it paused for %v", pause)
		return
	}
	k.check(t, c)
	if c.moves {
		return
	}
	if n := strings.Count(log.String(), c.log); c.log != "" && (n == 0 || n > 1 && c.log != lossLine) || c.log == "" && strings.Contains(log.String(), "level=WARN") {
		t.Errorf("want %q once in the log:\n%s", c.log, log)
	}
	if lines := strings.Count(log.String(), "\n"); lines > 6 {
		t.Errorf("the log has %d lines:\n%s", lines, log)
	}
}

func (k *timekeeper) check(t *testing.T, c clockCase) {
	t.Helper()
	if len(k.newRuns) > 0 != (c.runs != nil) && !c.moves || len(k.newRuns) > 2 {
		t.Errorf("runs begin for %q, want %q", k.newRuns, c.runs)
	}
	for _, want := range c.runs {
		if !slices.ContainsFunc(k.newRuns, func(why string) bool { return strings.Contains(why, want) }) {
			t.Errorf("runs begin for %q, want %q", k.newRuns, want)
		}
	}
	for i, run := range k.runs {
		t.Logf("run %d: %d pictures, late by %.2f to %.2f s; %d sounds, by %.2f to %.2f s", i, run[0].n, run[0].least, run[0].most, run[1].n, run[1].least, run[1].most)
		if run[0].most-run[0].least > cmp.Or(c.spread, mostSpread) {
			t.Errorf("the times of pictures of run %d are off by %.2f s from when they came", i, run[0].most-run[0].least)
		}
	}
	if c.silent || !c.sound {
		return
	}
	last := k.runs[len(k.runs)-1]
	most := c.apart
	if most == 0 {
		most = 0.3
	}
	if last[1].n == 0 {
		t.Error("no sound comes")
	} else if apart := math.Abs(last[1].sum/float64(last[1].n) - last[0].sum/float64(last[0].n)); apart > most {
		t.Errorf("sound and picture are %.2f s apart", apart)
	}
}
