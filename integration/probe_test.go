package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"nvrfs/integration/mp4check"
)

// A track is what ffprobe reads of a track of a file.
type track struct {
	kind    string // "video", "audio"
	codec   string // "h264", "aac"
	tick    *big.Rat
	packets []packet
}

// A packet is the data of one timestamp. Its times are in ticks of the track, edit list applied.
type packet struct {
	pts, dts int64
	lasts    int64
	hash     string
	hidden   bool // the edit list does not show it
}

// seconds returns a time of the track in seconds.
func (t *track) seconds(ticks int64) *big.Rat {
	return new(big.Rat).Mul(t.tick, new(big.Rat).SetInt64(ticks))
}

// probe reads all packets of a file, video first. ffprobe must have nothing to complain about.
func probe(t *testing.T, path string) []track {
	t.Helper()
	text := silently(t, "ffprobe", "-v", "warning", "-show_packets", "-show_streams", "-show_data_hash", "md5", "-of", "json", path)
	var probed struct {
		Streams []struct {
			Type     string `json:"codec_type"`
			Codec    string `json:"codec_name"`
			TimeBase string `json:"time_base"`
		}
		Packets []struct {
			Stream   int `json:"stream_index"`
			PTS, DTS int64
			Duration int64
			Hash     string `json:"data_hash"`
			Flags    string
		}
	}
	if err := json.Unmarshal([]byte(text), &probed); err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	tracks := make([]track, len(probed.Streams))
	for i, s := range probed.Streams {
		tick, ok := new(big.Rat).SetString(s.TimeBase)
		if !ok {
			t.Fatalf("ffprobe %s: time base %q", path, s.TimeBase)
		}
		tracks[i] = track{kind: s.Type, codec: s.Codec, tick: tick}
	}
	for _, p := range probed.Packets {
		of := &tracks[p.Stream]
		of.packets = append(of.packets, packet{p.PTS, p.DTS, p.Duration, p.Hash, strings.Contains(p.Flags, "D")})
	}
	if len(tracks) == 0 || len(tracks) > 1 && tracks[0].kind != "video" { // sound may be alone
		t.Fatalf("%s: the first of %d tracks is not video", path, len(tracks))
	}
	return tracks
}

// A frame is a decoded picture.
type frame struct {
	pts  int64 // in ticks of the track
	hash string
}

// frames decodes the video of a file, in the order in which it is shown.
func frames(t *testing.T, path string) (all []frame) {
	t.Helper()
	text := silently(t, "ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", path,
		"-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "framemd5", "-")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, ",") // stream, dts, pts, duration, size, hash
		pts, err := strconv.ParseInt(strings.TrimSpace(fields[2]), 10, 64)
		if err != nil {
			t.Fatalf("framemd5 of %s: %v", path, err)
		}
		all = append(all, frame{pts, strings.TrimSpace(fields[5])})
	}
	return all
}

// checkPlays has ffmpeg decode a file as a whole, without a word, and ffprobe read it without one.
func checkPlays(t *testing.T, path string) {
	t.Helper()
	silently(t, "ffprobe", "-v", "warning", "-show_packets", "-of", "compact", path)
	silently(t, "ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", path, "-f", "null", "-")
}

// checkFile checks an ordinary .mp4 file: it keeps the standard, and it plays.
func checkFile(t *testing.T, path string) *mp4check.Report {
	t.Helper()
	checkPlays(t, path)
	return checkBoxes(t, path)
}

// checkBoxes checks that an ordinary .mp4 file keeps the standard.
func checkBoxes(t *testing.T, path string) *mp4check.Report {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	report, err := mp4check.Check(f, info.Size())
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return report
}

// firstDifference says where two byte slices differ.
func firstDifference(got, want []byte) string {
	if bytes.Equal(got, want) {
		return ""
	}
	n := min(len(got), len(want))
	for i := range n {
		if got[i] != want[i] {
			n = i
			break
		}
	}
	return fmt.Sprintf("%d bytes, want %d; the first that differs is %d", len(got), len(want), n)
}
