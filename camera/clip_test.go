package camera

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func loadClip(t testing.TB, name string) *Clip {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	clip, err := ParseClip(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

// probed is what ffprobe read in a clip of the tests, in the form of its lines.
func probed(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(records))
	for i, r := range records {
		lines[i] = fmt.Sprintf("%s,%s,%s,%s,sync=%t", r[0], r[1], r[2], r[3], strings.HasPrefix(r[4], "K"))
	}
	return lines
}

func lines(track *Track) []string {
	lines := make([]string, len(track.Samples))
	for i, s := range track.Samples {
		lines[i] = fmt.Sprintf("%d,%d,%d,%d,sync=%t", s.PTS, s.DTS, s.Size, s.Offset, s.Sync)
	}
	return lines
}

func TestParseClipAgreesWithFFprobe(t *testing.T) {
	for _, name := range []string{"aligned", "bframes", "hevc"} {
		clip := loadClip(t, name+".mp4")
		compare := func(track *Track, file string) {
			if got, want := strings.Join(lines(track), "\n"), strings.Join(probed(t, file), "\n"); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
			}
		}
		compare(clip.Video, name+".v.csv")
		if clip.Audio != nil {
			compare(clip.Audio, name+".a.csv")
		}
		for _, track := range clip.tracks() {
			kind := map[Codec]string{H264: "avc1", H265: "hvc1", AAC: "mp4a"}[track.Codec]
			if e := track.Entry; len(e) < 8 || binary.BigEndian.Uint32(e) != uint32(len(e)) || string(e[4:8]) != kind {
				t.Errorf("%s: sample entry of %s is %x", name, track.Codec, e)
			}
		}
		if wantAudio := name != "hevc"; (clip.Audio != nil) != wantAudio {
			t.Errorf("%s: audio %t, want %t", name, clip.Audio != nil, wantAudio)
		}
	}
}

func TestDemoClip(t *testing.T) {
	clip := DemoClip()
	v, a := clip.Video, clip.Audio
	if v.Codec != H264 || len(v.Samples) != 400 || v.nanoseconds(v.duration()) != 16e9 {
		t.Errorf("video: %s, %d samples, %d ns", v.Codec, len(v.Samples), v.nanoseconds(v.duration()))
	}
	if a.Codec != AAC || a.ClockRate != 48000 || len(a.Samples) != 750 || a.nanoseconds(a.duration()) != 16e9 {
		t.Errorf("audio: %s, %d samples, %d ns", a.Codec, len(a.Samples), a.nanoseconds(a.duration()))
	}
	if clip.Duration() != 16*time.Second || len(clip.Ignored) != 0 {
		t.Errorf("lasts %v, ignored %q", clip.Duration(), clip.Ignored)
	}
	if len(demo) > 700_000 {
		t.Errorf("%d bytes are too many to embed", len(demo))
	}
	for i, s := range v.Samples {
		if s.PTS != s.DTS || v.RTPTime(i) != int64(i)*3600 || s.Sync != (i%25 == 0) {
			t.Fatalf("video sample %d: %+v", i, s)
		}
		units, err := v.AccessUnit(i)
		if err != nil || len(units) != 1 {
			t.Fatalf("video sample %d: %d NAL units, error %v", i, len(units), err)
		}
	}
	for i := range a.Samples {
		if a.RTPTime(i) != int64(i)*1024 {
			t.Fatalf("audio sample %d at %d", i, a.RTPTime(i))
		}
	}
}

func TestParseClipRefuses(t *testing.T) {
	good, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	moov := bytes.Index(good, []byte("moov")) - 4
	// patch replaces the 32-bit word that stands so far behind the first such box name.
	patch := func(box string, offset int, value uint32) []byte {
		data := bytes.Clone(good)
		binary.BigEndian.PutUint32(data[bytes.Index(data, []byte(box))+4+offset:], value)
		return data
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":         {nil, "no moov box"},
		"text":            {[]byte("this is not a film, but a line of text\n"), "does not fit in the file"},
		"without moov":    {good[:moov], "no moov box"},
		"cut in moov":     {good[:len(good)-100], "does not fit in the file"},
		"no samples":      {patch("stsz", 8, 0), "no samples in its tables"},
		"too many":        {patch("stsz", 8, 1<<31), "mp4"},
		"stts too long":   {patch("stts", 8, 17), "stts has times for more samples"},
		"stts too short":  {patch("stts", 8, 15), "stts has times for 15 samples"},
		"no time":         {patch("stts", 12, 0), "it lasts no time"},
		"wild chunk":      {patch("stco", 8, 1<<30), "is not in the file"},
		"stsc of chunk 0": {patch("stsc", 8, 0), "stsc: chunks 0"},
		"stss of none":    {patch("stss", 8, 400), "stss names sample 400 of 16"},
		"timescale 0":     {patch("mdhd", 12, 0), "timescale 0"},
	} {
		_, err := ParseClip(bytes.NewReader(test.data), int64(len(test.data)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want something with %q", name, err, test.want)
		}
	}
}

func TestParseClipIgnores(t *testing.T) {
	data, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("mp4a"), []byte("Opus"), 1)
	clip, err := ParseClip(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if clip.Audio != nil || len(clip.Ignored) != 1 || !strings.HasPrefix(clip.Ignored[0], "Opus") {
		t.Errorf("audio %v, ignored %q", clip.Audio, clip.Ignored)
	}
	data = bytes.Replace(data, []byte("avc1"), []byte("vp09"), -1)
	if _, err := ParseClip(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), "no H.264 or H.265") {
		t.Errorf("without video: %v", err)
	}
}

func TestSplitNALUnits(t *testing.T) {
	for name, test := range map[string]struct {
		sample     string
		lengthSize int
		want       string
	}{
		"two":          {"\x00\x00\x00\x02ab\x00\x00\x00\x01c", 4, `["ab" "c"]`},
		"short length": {"\x02ab\x01c", 1, `["ab" "c"]`},
		"empty unit":   {"\x00\x00\x00\x01a", 2, `["a"]`},
		"none":         {"\x00\x00", 2, "no NAL unit in it"},
		"too long":     {"\x00\x03ab", 2, "NAL unit of 3 bytes, but 2 remain"},
		"remainder":    {"\x00\x01ab", 2, "1 bytes remain behind the last NAL unit"},
	} {
		units, err := splitNALUnits([]byte(test.sample), test.lengthSize)
		got := fmt.Sprintf("%q", units)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestRescale(t *testing.T) {
	for _, test := range []struct {
		ticks    int64
		to, from uint32
		want     int64
	}{
		{512, 90000, 12800, 3600},
		{1001, 90000, 30000, 3003},
		{1, 90000, 1000, 90},
		{1, 2, 3, 1}, // 0.67
		{-1, 2, 3, -1},
		{-1024, 48000, 48000, -1024},
		{1 << 40, 1e9, 90000, 12216795864177778}, // 1<<40 * 1e9 does not fit in 64 bits
	} {
		if got := rescale(test.ticks, test.to, test.from); got != test.want {
			t.Errorf("rescale(%d, %d, %d) = %d, want %d", test.ticks, test.to, test.from, got, test.want)
		}
	}
}

// FuzzParseClip: whatever the file, there is an error, or a clip whose samples can
// be read, in the file, and whose timeline goes forward.
func FuzzParseClip(f *testing.F) {
	for _, name := range []string{"aligned.mp4", "bframes.mp4", "hevc.mp4"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		clip, err := ParseClip(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if clip.Duration() < 0 {
			t.Fatalf("duration %v", clip.Duration())
		}
		line := newTimeline(clip, true)
		last := time.Duration(-1 << 63)
		for range min(len(clip.Video.Samples), 1000) {
			e, more := line.next()
			if !more {
				break
			}
			if e.due < last {
				t.Fatalf("due %v behind %v", e.due, last)
			}
			last = e.due
			s := e.track.Samples[e.index]
			if s.Offset+int64(s.Size) > int64(len(data)) {
				t.Fatalf("sample %+v in %d bytes", s, len(data))
			}
			if units, err := e.track.AccessUnit(e.index); err == nil && len(units) == 0 {
				t.Fatal("no unit, no error")
			}
		}
	})
}
