package codec

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"nvrfs/codec/codectest"
)

// TestMendParameter has parameter sets described in ways of which gortsplib reads a part or nothing: the receiver knows them all.
func TestMendParameter(t *testing.T) {
	sps, pps, other := codectest.SPS(10, 0, false), codectest.PPS(0), codectest.PPSOf(1, 0, false)
	text := func(parts ...[]byte) string { return base64.StdEncoding.EncodeToString(bytes.Join(parts, nil)) }
	start := []byte{0, 0, 0, 1}
	length := func(p []byte) []byte { return append([]byte{0, 0, 0, byte(len(p))}, p...) }
	config := bytes.Join([][]byte{{1, sps[1], sps[2], sps[3], 0xff, 0xe1}, length(sps)[2:], {2}, length(pps)[2:], length(other)[2:]}, nil)
	for name, value := range map[string]string{
		"as they should be":  text(sps) + "," + text(pps) + "," + text(other),
		"with one more":      text(sps) + "," + text(pps) + ",***," + text(other) + ",",
		"with spaces":        ` "` + text(sps) + `" , ` + text(pps) + " , " + text(other),
		"without padding":    strings.ReplaceAll(text(sps)+","+text(pps)+","+text(other), "=", ""),
		"with start codes":   text(start, sps, start, pps) + "," + text(start[1:], other),
		"with lengths":       text(length(sps)) + "," + text(length(pps)) + "," + text(length(other)),
		"as mp4 has them":    text(config),
		"in another order":   text(other) + "," + text(pps) + "," + text(sps),
		"for URLs":           strings.NewReplacer("+", "-", "/", "_").Replace(text(sps) + "," + text(pps) + "," + text(other)),
		"padded with zeros":  text(start, sps, []byte{0, 0}, start, pps, start, other, []byte{0}) + ",",
		"the same set twice": text(sps) + "," + text(sps) + "," + text(pps) + "," + text(other),
	} {
		mended := MendParameter("Sprop-Parameter-Sets", value)
		sets := strings.Split(mended, ",")
		if len(sets) != 2 {
			t.Fatalf("%s: %q", name, mended)
		}
		var f format.H264
		for i, to := range []*[]byte{&f.SPS, &f.PPS} {
			data, err := base64.StdEncoding.DecodeString(sets[i])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*to = bytes.TrimPrefix(data, start) // as gortsplib does
		}
		r, err := receiveH264(&f)
		if err != nil {
			t.Fatal(err)
		}
		gotSPS, gotPPS := r.(*nalReceiver).format.(h264Format).Sets(0)
		if len(gotSPS) != 1 || len(gotPPS) != 2 || !bytes.Equal(gotSPS[0], sps) || !bytes.Equal(gotPPS[0], pps) || !bytes.Equal(gotPPS[1], other) {
			t.Errorf("%s: the receiver knows %x and %x", name, gotSPS, gotPPS)
		}
	}
	for name, value := range map[string]string{"sprop-parameter-sets": "*,*", "sprop-sps": "=", "sprop-pps": ",,", "sprop-vps": ""} {
		if got := MendParameter(name, value); got != "" {
			t.Errorf("of %q remains %q", value, got)
		}
	}
	if got := MendParameter("config", "a,b"); got != "a,b" {
		t.Errorf("another parameter becomes %q", got)
	}
}
