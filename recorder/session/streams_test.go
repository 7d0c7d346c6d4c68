package session_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nvrfs/integration/oddcamera"
	"nvrfs/media"
	"nvrfs/mp4/demux"
	"nvrfs/recorder/internal/bench"
	"nvrfs/recorder/rtsp"
)

// A stream is what an encoder makes and a camera sends in some way.
type stream struct {
	encode string // arguments of ffmpeg
	odd    func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit
	sdp    func(string) string
}

// inBand sends the parameter sets with each sync sample.
func inBand(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
	if u.Sync {
		u.Parts = append(append([][]byte{}, s.Camera.Tracks[0].Sets...), u.Parts...)
	}
	return []*oddcamera.Unit{u}
}

// onlyInBand describes no parameter sets.
func onlyInBand(sdp string) string {
	return regexp.MustCompile(`;?sprop-[^;\r]*`).ReplaceAllString(sdp, "")
}

// jittered has times that are up to 40 ms off.
func jittered(_ *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
	u.Timestamp += uint32((u.N*7919%81 - 40) * 90)
	return []*oddcamera.Unit{u}
}

// joinedLate leaves out the first pictures.
func joinedLate(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
	if u.N < 3 {
		return nil
	}
	return inBand(s, u)
}

const (
	x264 = "-c:v libx264 -preset ultrafast -g 10 "
	x265 = "-c:v libx265 -preset ultrafast -tag:v hvc1 -g 10 -x265-params log-level=none:keyint=10:"
)

var streams = map[string]stream{
	"B-frames, 16 slices":           {encode: x264 + "-bf 3 -slices 16"},
	"B-frames whose times jitter":   {encode: x264 + "-bf 2 -pix_fmt yuv420p", odd: jittered},
	"interlaced, with B-frames":     {encode: x264 + "-bf 2 -flags +ildct+ilme -x264-params tff=1"},
	"baseline":                      {encode: x264 + "-profile:v baseline -pix_fmt yuv420p", odd: inBand, sdp: onlyInBand},
	"4:4:4":                         {encode: x264 + "-bf 2 -pix_fmt yuv444p"},
	"4:2:2 of 10 bits":              {encode: x264 + "-pix_fmt yuv422p10le", odd: inBand, sdp: onlyInBand},
	"monochrome":                    {encode: x264 + "-bf 1 -pix_fmt gray"},
	"lossless":                      {encode: x264 + "-qp 0 -pix_fmt yuv420p"},
	"an odd size":                   {encode: x264 + "-vf scale=130:98 -pix_fmt yuv420p"},
	"sync samples alone":            {encode: "-c:v libx264 -preset ultrafast -g 1 -pix_fmt yuv420p"},
	"open GOPs":                     {encode: x264 + "-bf 2 -x264-params open-gop=1 -pix_fmt yuv420p", odd: inBand},
	"joined late":                   {encode: x264 + "-bf 2 -pix_fmt yuv420p", odd: joinedLate},
	"H.265":                         {encode: x265 + "bframes=3 -pix_fmt yuv420p"},
	"H.265 of 10 bits, in band":     {encode: x265 + "bframes=3 -pix_fmt yuv420p10le", odd: inBand, sdp: onlyInBand},
	"H.265, 4:4:4":                  {encode: x265 + "bframes=2 -pix_fmt yuv444p"},
	"H.265, monochrome":             {encode: x265 + "bframes=2 -pix_fmt gray"},
	"H.265, lossless":               {encode: x265 + "lossless=1 -pix_fmt yuv420p"},
	"H.265, slices and wavefronts":  {encode: x265 + "slices=4:wpp=1:bframes=2 -s 640x512 -pix_fmt yuv420p"},
	"H.265, CRA alone, joined late": {encode: x265 + "open-gop=1:bframes=2 -pix_fmt yuv420p", odd: joinedLate, sdp: onlyInBand},
	"H.265, called H.264":           {encode: x265 + "bframes=2 -pix_fmt yuv420p", odd: inBand, sdp: func(s string) string { return strings.Replace(onlyInBand(s), "H265", "H264", 1) }},
}

// TestStreamsAreDecoded records what encoders make in the forms that cameras have, through RTSP into a sample file, and has ffmpeg decode
// every picture of it.
func TestStreamsAreDecoded(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	for name, c := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			track := encode(t, c.encode)
			make := oddcamera.H264
			if strings.Contains(c.encode, "libx265") {
				make = oddcamera.H265
			}
			cam := oddcamera.Start(t, oddcamera.Case{Unit: c.odd, SDP: c.sdp, Speed: 10}, make(track))
			b := bench.New(t, time.Minute)
			n := recordFrom(b, cam.URL, 60)
			frames, said := decodeFrames(t, contents(t, b))
			if frames != n || said != "" {
				t.Errorf("ffmpeg decodes %d of %d pictures, and says %q", frames, n, said)
			}
			bench.NoProblems(t, b.Dir)
		})
	}
}

// encode returns the track that ffmpeg makes of a test picture of 4 s.
func encode(t *testing.T, args string) *demux.Track {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stream.mp4")
	all := append(strings.Fields("-v error -f lavfi -i testsrc=size=160x128:rate=25:duration=4"), strings.Fields(args)...)
	if said, err := exec.CommandContext(t.Context(), "ffmpeg", append(all, path)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := demux.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f.Tracks()[0]
}

// counter hands on to a session, and ends it after some samples.
type counter struct {
	media.Handler
	n, most int
	enough  context.CancelFunc
}

func (c *counter) Sample(s media.Sample) error {
	if c.n++; c.n == c.most {
		c.enough()
	}
	return c.Handler.Sample(s)
}

// recordFrom records some pictures of a camera, and returns how many there are.
func recordFrom(b *bench.Bench, url string, most int) int {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), time.Minute)
	defer cancel()
	s := b.Stream.Session()
	c := &counter{Handler: s, most: most, enough: cancel}
	err := (&rtsp.Source{URL: url, Log: bench.NewLog(&b.Log)}).Run(ctx, c)
	if err != nil || c.n < most {
		b.T.Fatalf("%d pictures came: %v", c.n, err)
	}
	if err := s.Finish("stopped"); err != nil {
		b.T.Fatal(err)
	}
	b.Commit()
	if log := b.Log.String(); strings.Contains(log, "level=WARN") {
		b.T.Errorf("the log warns: %s", log)
	}
	return c.n
}

// decodeFrames returns how many pictures ffmpeg decodes, and what it says.
func decodeFrames(t *testing.T, file []byte) (n int, said string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var warnings bytes.Buffer
	c := exec.CommandContext(t.Context(), "ffmpeg", "-v", "warning", "-i", path, "-fps_mode", "passthrough", "-f", "framemd5", "-")
	c.Stderr = &warnings
	frames, err := c.Output()
	if err != nil {
		t.Errorf("ffmpeg: %v", err)
	}
	for line := range strings.Lines(string(frames)) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n, warnings.String()
}
