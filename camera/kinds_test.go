package camera

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// Every kind of track is described as what it is, and comes with the payload type that was said: Motion JPEG, whose payload type is
// fixed, G.711, which is sound, and sound alone.
func TestKinds(t *testing.T) {
	for name, want := range map[string][]description.MediaType{
		"mjpeg.mp4": {description.MediaTypeVideo},
		"mulaw.mov": {description.MediaTypeVideo, description.MediaTypeAudio},
		"sound.mp4": {description.MediaTypeAudio},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			clip, err := OpenClip(f)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, Options{Clip: clip, Once: true, StartOnPlay: true})
			packets := play(t, s.URL(), want)
			for i, track := range clip.Tracks() {
				if n := packets[i]; n == 0 || !track.Entry.Kind.Sound() && n < track.Len() {
					t.Errorf("%s: %d packets of %d samples", track.Entry.Codec, packets[i], track.Len())
				}
			}
		})
	}
}

// A picture that RTP cannot carry is refused, rather than sent so that nobody can decode it.
func TestRefusesHuffmanTables(t *testing.T) {
	f, err := os.Open("testdata/huffman.mp4")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := OpenClip(f); err == nil || !strings.Contains(err.Error(), "-huffman default") {
		t.Errorf("got %v, want what to do about its Huffman tables", err)
	}
}

// play plays a stream of some medias to its end, and returns how many packets came of each.
func play(t *testing.T, url string, want []description.MediaType) []int {
	t.Helper()
	u, err := base.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	protocol := tcp
	c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &protocol}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	desc, _, err := c.Describe(u)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		t.Fatal(err)
	}
	if len(desc.Medias) != len(want) {
		t.Fatalf("%d medias, want %d", len(desc.Medias), len(want))
	}
	packets := make([]int, len(want))
	ended := make(chan struct{}, len(want))
	for i, m := range desc.Medias {
		if m.Type != want[i] {
			t.Errorf("media %d is %s, want %s", i, m.Type, want[i])
		}
		c.OnPacketRTP(m, m.Formats[0], func(*rtp.Packet) { packets[i]++ })
		c.OnPacketRTCP(m, func(p rtcp.Packet) {
			if _, bye := p.(*rtcp.Goodbye); bye {
				ended <- struct{}{}
			}
		})
	}
	if _, err := c.Play(nil); err != nil {
		t.Fatal(err)
	}
	for range want {
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("the stream did not end")
		}
	}
	return packets
}
