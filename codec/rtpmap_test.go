package codec

import "testing"

func TestRTPMap(t *testing.T) {
	for _, c := range []struct {
		video               bool
		rtpmap, param, want string
	}{
		{true, "H264/90000", "", "H264/90000"},
		{true, "h264/90000.0", "", "H264/90000"},
		{true, "H.264/0", "", "H264/90000"},
		{true, "HEVC", "", "H265/90000"},
		{true, " H265 / 90000 ", "", "H265/90000"},
		{true, "VP8/90000", "", "VP8/90000"},
		{true, "", "sprop-parameter-sets", "H264/90000"},
		{true, "", "sprop-vps", "H265/90000"},
		{true, "", "", ""},
		{false, "opus/48000", "", "opus/48000/2"},
		{false, "opus/48000/1", "", "opus/48000/2"},
		{false, "MPEG4-GENERIC/16000/1", "", "mpeg4-generic/16000/1"},
		{false, "mpeg4-generic/16000", "", "mpeg4-generic/16000"},
		{false, "PCMU", "", "PCMU/8000"},
		{false, "PCMA/8000/x", "", "PCMA/8000"},
		{false, "L16/16000/2", "", "L16/16000/2"},
		{false, "MP4A-LATM/90000/1", "", "MP4A-LATM/90000/1"},
		{false, "", "sizelength", "mpeg4-generic/8000"},
	} {
		if got := RTPMap(c.video, c.rtpmap, func(p string) bool { return p == c.param }); got != c.want {
			t.Errorf("%q with %q: got %q, want %q", c.rtpmap, c.param, got, c.want)
		}
	}
}
