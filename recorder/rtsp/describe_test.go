package rtsp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

func TestReadableTracks(t *testing.T) {
	const head = "v=0\r\ns=x\r\n"
	video, audio := "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", "m=audio 0 RTP/AVP 0\n"
	bad := "m=audio 0 RTP/AVP 97\r\na=bad\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
	badVideo := strings.Replace(bad, "audio", "video", 1)
	failed := errors.New("a bad line")
	parse := func(sdp []byte) error {
		if bytes.Contains(sdp, []byte("a=bad")) || !bytes.HasPrefix(sdp, []byte(head)) {
			return failed
		}
		return nil
	}
	for name, c := range map[string]struct {
		sdp, want string // want is empty where it fails
		out       []string
	}{
		"all of it":               {head + video + audio, head + video + audio, nil},
		"one is left out":         {head + bad + video + audio, head + video + audio, []string{"MPEG4-GENERIC"}},
		"two are left out":        {head + bad + video + badVideo, head + video, []string{"MPEG4-GENERIC", "MPEG4-GENERIC"}},
		"no name":                 {head + video + "m=audio 0 RTP/AVP 97\r\na=bad", head + video, []string{"m=audio 0 RTP/AVP 97"}},
		"the only video is bad":   {head + badVideo + audio, "", nil},
		"what is before them bad": {"a=bad\r\n" + video + audio, "", nil},
		"too many":                {head + video + strings.Repeat(bad, maxTracks), "", nil},
		"empty":                   {"", "", nil},
	} {
		var out []string
		got, err := readableTracks([]byte(c.sdp), parse, func(codec string, why error) {
			if why.Error() != failed.Error() {
				t.Errorf("%s: left out for %v", name, why)
			}
			out = append(out, codec)
		})
		if string(got) != c.want || !slices.Equal(out, c.out) || (c.want == "") != errors.Is(err, failed) {
			t.Errorf("%s: %q without %q, %v", name, got, out, err)
		}
	}
}

// TestOnResponseLeavesOthersAlone has answers that are no session description.
func TestOnResponseLeavesOthersAlone(t *testing.T) {
	s := newSession(&Source{Log: newTestLog(new(logBuffer))}, nil)
	for _, res := range []base.Response{
		{StatusCode: base.StatusOK},
		{StatusCode: base.StatusOK, Header: base.Header{"Content-Type": {"text/parameters"}}, Body: []byte("x")},
		{StatusCode: base.StatusNotFound, Header: base.Header{"Content-Type": {"application/sdp"}}, Body: []byte("x")},
		{StatusCode: base.StatusUnauthorized, Header: base.Header{"WWW-Authenticate": {"Digest", "x\"", ""}, "Location": {":", ""}, "Session": {}}},
	} {
		got := res
		s.onResponse(&got)
		if got.StatusCode != res.StatusCode || !bytes.Equal(got.Body, res.Body) || s.reason(nil) != nil {
			t.Errorf("%+v became %+v", res, got)
		}
	}
	res := base.Response{StatusCode: base.StatusOK, Header: base.Header{"KeyMgmt": {"prot=mikey;data=AA=="}}}
	if s.onResponse(&res); res.Header["KeyMgmt"] != nil || s.reason(nil) != nil {
		t.Errorf("a key that cannot be read is handed on: %v", res)
	}
}

func TestOneFormatOfAPayloadType(t *testing.T) {
	sdp := strings.Replace(describeVideo(t), "RTP/AVP 96", "RTP/AVP 96 96 98 96 98", 1) + "a=rtpmap:98 H265/90000\r\n"
	s := newFuzzSession(t, []byte(sdp))
	if s == nil {
		t.Fatal("the description is refused")
	}
	if f := s.video.media.Formats; len(f) != 2 || f[0] != s.video.format || f[1].PayloadType() != 98 {
		t.Errorf("formats are %v", f)
	}
}
