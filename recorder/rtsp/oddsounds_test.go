package rtsp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/oddcamera"
	"nvrfs/media"
)

// pcm is a track of sound of packets of so many bytes and ticks each, of which the bytes are those of G.711, so that they sound like it.
func pcm(media string, payloadType uint8, rate uint32, ticks, size int) *oddcamera.Track {
	t := &oddcamera.Track{PayloadType: payloadType, Rate: rate, Length: 16 * int64(rate), Media: media, Payloads: func(parts [][]byte) [][]byte { return parts }}
	var all []byte
	for _, u := range oddcamera.G711(payloadType == 0).Units {
		all = append(all, u.Parts[0]...)
	}
	for at, n := int64(0), 0; at < t.Length; at, n = at+int64(ticks), n+1 {
		from := n * size % (len(all) - size)
		t.Units = append(t.Units, oddcamera.TrackUnit{Sent: at, Shown: at, Parts: [][]byte{all[from : from+size]}, Sync: true})
	}
	return t
}

var errEnough = errors.New("that is enough")

const muLawLine = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

// oddSounds are tracks of sound that are sent in unusual ways beside a picture. Each is recorded, and nothing is said of it.
var oddSounds = map[string]struct {
	track *oddcamera.Track
	oddcamera.Case
	rate  uint32 // of the samples
	bytes bool   // are kept as they are
}{
	"G.711 of 10 ms":           {track: pcm(muLawLine, 0, 8000, 80, 80), rate: 8000, bytes: true},
	"G.711 of 30 ms":           {track: pcm(muLawLine, 0, 8000, 240, 240), rate: 8000, bytes: true},
	"G.711 of 64 ms":           {track: pcm("m=audio 0 RTP/AVP 8\r\n", 8, 8000, 512, 512), rate: 8000, bytes: true},
	"G.711 of 1 s":             {track: pcm(muLawLine, 0, 8000, 8000, 8000), rate: 8000, bytes: true},
	"G.711 of 37 bytes":        {track: pcm(muLawLine, 0, 8000, 37, 37), rate: 8000, bytes: true},
	"G.711 at 16 kHz":          {track: pcm("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 PCMA/16000\r\n", 97, 16000, 320, 320), rate: 16000, bytes: true},
	"G.711 of two channels":    {track: pcm("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000/2\r\n", 97, 8000, 160, 320), rate: 8000},
	"G.711 with comfort noise": {track: pcm("m=audio 0 RTP/AVP 0 13\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n", 0, 8000, 160, 160), rate: 8000, Case: oddcamera.Case{Packet: comfortNoise}},
	"G.711 of two laws":        {track: pcm("m=audio 0 RTP/AVP 8 0\r\n", 0, 8000, 160, 160), rate: 8000, bytes: true},
	"G.711 and its key tones":  {track: pcm("m=audio 0 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:40\r\n", 0, 8000, 160, 160), rate: 8000, bytes: true},
	"L16 at 8 kHz":             {track: pcm("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/8000\r\n", 97, 8000, 160, 320), rate: 8000},
	"L16 at 44.1 kHz":          {track: pcm("m=audio 0 RTP/AVP 10\r\n", 10, 44100, 256, 1024), rate: 44100},
	"L16 of one channel":       {track: pcm("m=audio 0 RTP/AVP 11\r\n", 11, 44100, 441, 882), rate: 44100},
	"L24 at 48 kHz":            {track: pcm("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L24/48000/2\r\n", 97, 48000, 192, 1152), rate: 48000},
	"L8":                       {track: pcm("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L8/11025\r\n", 97, 11025, 220, 220), rate: 11025},
}

// comfortNoise has every other half second be one packet of comfort noise (RFC 3389).
func comfortNoise(_ *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
	if p.Unit.Track == 1 && p.Unit.N/25%2 == 1 {
		p.PayloadType, p.Payload = 13, []byte{60}
	}
	return []*oddcamera.Packet{p}
}

// TestOddSounds records sound that is sent in unusual ways.
func TestOddSounds(t *testing.T) {
	for name, c := range oddSounds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Case.Speed = 5
			paused := watchHost(t)
			cam := oddcamera.Start(t, c.Case, oddcamera.DemoVideo(), c.track)
			h := new(collector)
			h.onSample = func(s media.Sample) error {
				if s.Track == 0 && len(h.samples[0]) > 150 {
					return errEnough
				}
				return nil
			}
			log, err := runRTSP(t, &Source{URL: cam.URL, SilenceTimeout: 20 * time.Second}, h, 1, 1<<30)
			if errors.Is(err, errEnough) && paused() > mostPause {
				t.Skipf("the host paused for %v, which changes times", paused())
			}
			if !errors.Is(err, errEnough) || strings.Contains(log, "level=WARN") || len(h.newRuns) > 0 {
				t.Fatalf("error is %v, runs begin for %q, the log is\n%s", err, h.newRuns, log)
			}
			checkSent(t, h, cam, false)
			if len(h.tracks) != 2 || h.tracks[1].Timescale != c.rate {
				t.Fatalf("tracks are %+v", h.tracks)
			}
			lasts, data := int64(0), []byte{}
			for _, s := range h.samples[1] {
				lasts += int64(s.Duration)
				data = append(data, s.Data...)
			}
			if least := int64(c.rate) * 2; lasts < least { // of 6 s, of which half may be silence
				t.Errorf("%d ticks of sound came, want %d", lasts, least)
			}
			if c.bytes {
				checkBytes(t, cam, data)
			}
		})
	}
}

// checkBytes holds sound against what was sent, from somewhere near its beginning on.
func checkBytes(t *testing.T, cam *oddcamera.Camera, data []byte) {
	t.Helper()
	var sent []byte
	for _, u := range cam.Sent(1) {
		sent = append(sent, u.Parts[0]...)
	}
	if at := bytes.Index(sent, data); at < 0 {
		t.Errorf("%d bytes of sound are not in the %d that were sent", len(data), len(sent))
	}
}
