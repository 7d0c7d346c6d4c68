package camera

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/ntp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"nvrfs/media"
	"nvrfs/mp4/demux"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is a reader of a camera that keeps all it gets.
type client struct {
	*gortsplib.Client
	tracks []*received // video first

	mu      sync.Mutex
	changed chan struct{} // closed and renewed with each thing received
}

// received is what came of one track.
type received struct {
	format  format.Format
	units   []unit
	reports []*rtcp.SenderReport
	byes    int
}

// unit is an access unit with its RTP timestamp.
type unit struct {
	timestamp uint32
	data      [][]byte
}

// dial connects to a camera, and plays what it has.
func dial(t *testing.T, url string, protocol gortsplib.Protocol) *client {
	t.Helper()
	c, err := tryDial(url, protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func tryDial(url string, protocol gortsplib.Protocol) (*client, error) {
	u, err := base.ParseURL(url)
	if err != nil {
		return nil, err
	}
	c := &client{
		Client:  &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &protocol},
		changed: make(chan struct{}),
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	if err := c.play(u); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) play(u *base.URL) error {
	desc, _, err := c.Describe(u)
	if err != nil {
		return err
	}
	if err := c.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		return err
	}
	for _, media := range desc.Medias {
		if err := c.listen(media); err != nil {
			return err
		}
	}
	_, err = c.Play(nil)
	return err
}

func (c *client) listen(media *description.Media) error {
	r := &received{format: media.Formats[0]}
	c.tracks = append(c.tracks, r)
	decode, err := decoder(r.format)
	if err != nil {
		return err
	}
	c.OnPacketRTP(media, r.format, func(p *rtp.Packet) {
		if data := decode(p); data != nil {
			c.update(func() { r.units = append(r.units, unit{p.Timestamp, data}) })
		}
	})
	c.OnPacketRTCP(media, func(p rtcp.Packet) {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			c.update(func() { r.reports = append(r.reports, p) })
		case *rtcp.Goodbye:
			c.update(func() { r.byes++ })
		}
	})
	return nil
}

// decoder puts access units together; it returns nil until one is whole.
func decoder(f format.Format) (func(*rtp.Packet) [][]byte, error) {
	var decode func(*rtp.Packet) ([][]byte, error)
	switch f := f.(type) {
	case *format.H264:
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		decode = d.Decode
	case *format.H265:
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		decode = d.Decode
	case *format.MPEG4Audio:
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		decode = d.Decode
	default:
		return nil, fmt.Errorf("format %T", f)
	}
	return func(p *rtp.Packet) [][]byte {
		data, err := decode(p)
		if err != nil {
			return nil // mostly "more packets needed"; a real fault shows in what is missing
		}
		return data
	}, nil
}

func (c *client) update(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits until the condition holds; it is called with mu held.
func (c *client) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		holds, changed := condition(), c.changed
		c.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// awaitUnits waits for so many access units of each track.
func (c *client) awaitUnits(t *testing.T, n int) {
	t.Helper()
	for _, r := range c.tracks {
		c.await(t, fmt.Sprintf("%d units of %T", n, r.format), func() bool { return len(r.units) >= n })
	}
}

// awaitEnd waits until the camera hangs up.
func (c *client) awaitEnd(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("still connected after %v", patience)
	}
}

// compare holds what came against the track that was played from its sample first
// on, in a loop where lap (in RTP ticks) is not 0.
func (r *received) compare(t *testing.T, track *demux.Track, first int, lap int64) {
	t.Helper()
	n := track.Len()
	if len(r.units) == 0 {
		t.Fatalf("%s: nothing came", track.Entry.Codec)
	}
	time := func(i int) int64 { return RTPTime(track, i%n) + int64(i/n)*lap }
	offset := r.units[0].timestamp - uint32(time(first))
	for i, u := range r.units {
		if want := offset + uint32(time(first+i)); u.timestamp != want {
			t.Fatalf("%s: unit %d at %d, want %d", track.Entry.Codec, i, u.timestamp, want)
		}
		want := unitsOf(t, track, (first+i)%n)
		if !equal(u.data, want) {
			t.Fatalf("%s: unit %d: got %x, want %x", track.Entry.Codec, i, u.data, want)
		}
	}
}

func equal(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte("|")), bytes.Join(b, []byte("|"))) && len(a) == len(b)
}

// zero is the wall time of the clip's time 0, according to a track's report.
func (r *received) zero(track *demux.Track) time.Time {
	report := r.reports[0]
	origin := r.units[0].timestamp - uint32(RTPTime(track, 0))
	ticks := int64(int32(report.RTPTime - origin))
	return ntp.Decode(report.NTPTime).Add(-time.Duration(media.Rescale(ticks, track.Entry.Timescale, uint32(time.Second))))
}
