package demux

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nvrfs/codec"
	"nvrfs/media"
)

func load(t testing.TB, name string) *File {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
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
	lines := make([]string, track.Len())
	for i := range lines {
		s := track.Sample(i)
		lines[i] = fmt.Sprintf("%d,%d,%d,%d,sync=%t", s.PTS(), s.DTS, s.Size, track.Offset(i), s.Sync)
	}
	return lines
}

func TestReadAgreesWithFFprobe(t *testing.T) {
	for _, name := range []string{"aligned", "bframes", "hevc", "fragments", "hybrid", "gstreamer"} {
		f := load(t, name+".mp4")
		compare := func(track *Track, file string) {
			if got, want := strings.Join(lines(track), "\n"), strings.Join(probed(t, file), "\n"); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
			}
		}
		compare(f.Video, name+".v.csv")
		if f.Audio != nil {
			compare(f.Audio, name+".a.csv")
		}
		for _, track := range f.Tracks() {
			kind, _, _ := strings.Cut(track.Entry.Codec, ".")
			if e := track.Entry.Box; len(e) < 8 || binary.BigEndian.Uint32(e) != uint32(len(e)) || string(e[4:8]) != kind {
				t.Errorf("%s: sample entry of %s is %x", name, track.Entry.Codec, e)
			}
		}
		if wantAudio := name != "hevc" && name != "gstreamer"; (f.Audio != nil) != wantAudio {
			t.Errorf("%s: audio %t, want %t", name, f.Audio != nil, wantAudio)
		}
	}
}

func TestReadRefuses(t *testing.T) {
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
		"no samples":      {patch("stsz", 8, 0), "no samples in it"},
		"too many":        {patch("stsz", 8, 1<<31), "mp4"},
		"stts too long":   {patch("stts", 8, 17), "stts has times for more samples"},
		"stts too short":  {patch("stts", 8, 15), "stts has times for 15 samples"},
		"no time":         {patch("stts", 12, 0), "it lasts no time"},
		"wild chunk":      {patch("stco", 8, 1<<30), "is not in the file"},
		"stsc of chunk 0": {patch("stsc", 8, 0), "stsc: chunks 0"},
		"stss of none":    {patch("stss", 8, 400), "stss names sample 400 of 16"},
		"timescale 0":     {patch("mdhd", 12, 0), "timescale 0"},
	} {
		_, err := Read(bytes.NewReader(test.data), int64(len(test.data)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want something with %q", name, err, test.want)
		}
	}
}

func TestReadLeavesOut(t *testing.T) {
	data, err := os.ReadFile("testdata/aligned.mp4")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("mp4a"), []byte("alac"), 1)
	f, err := Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Audio != nil || len(f.LeftOut) != 1 || !strings.HasPrefix(f.LeftOut[0], "alac") {
		t.Errorf("audio %v, left out %q", f.Audio, f.LeftOut)
	}
	data = bytes.Replace(data, []byte("avc1"), []byte("vp09"), -1)
	if _, err := Read(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), "no video in it of "+codec.Imported("or", media.Video)) {
		t.Errorf("without video: %v", err)
	}
}

// FuzzDemux: whatever the file, there is an error, or tracks whose samples lie in the file, in decoding order.
func FuzzDemux(f *testing.F) {
	for _, name := range []string{"aligned.mp4", "bframes.mp4", "hevc.mp4", "hybrid.mp4"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		src, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add((&fragmenter{File: src, perFragment: 8, implicit: true, runs: 2, between: true}).make())
		f.Add((&fragmenter{File: src, perFragment: 8, absolute: true, firstFlags: true, trexDefaults: true, empty: 3}).make())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, track := range file.Tracks() {
			if track.Len() == 0 || track.Duration() <= 0 || track.Timescale == 0 || track.Entry.Timescale == 0 || len(track.Entry.Box) < 8 {
				t.Fatalf("%d samples, for %d in 1/%d s, of %+v", track.Len(), track.Duration(), track.Timescale, track.Entry)
			}
			end := track.Sample(0).DTS
			for i := range min(track.Len(), 1000) {
				s := track.Sample(i)
				if s.DTS != end || s.End() > track.End {
					t.Fatalf("sample %d is %+v, and starts where the one before ends: %d of %d", i, s, end, track.End)
				}
				end = s.End()
				if read, err := track.Read(i); err != nil || len(read) == 0 || len(read) != int(s.Size) {
					t.Fatalf("sample %d, %+v, is %d bytes, %v", i, s, len(read), err)
				}
			}
		}
	})
}
