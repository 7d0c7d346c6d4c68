package rtsp

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

// TestReadDescription has descriptions of which something cannot be read. want has what gortsplib then gets, but for the lines of
// the session, and is empty where nothing can be recorded.
func TestReadDescription(t *testing.T) {
	const head = "v=0\r\ns=x\r\n"
	const video = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	const audio = "m=audio 0 RTP/AVP 0\r\n"
	const bad = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
	const aac = "a=fmtp:97 mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;indexdeltalength=3\r\n"
	const sprop = "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAH9kAUAW7ARAAAAMAEAAAAwPA8YMkgA==,aMuDyyA=\r\n"
	for name, c := range map[string]struct {
		sdp, want string
		lost      []string // codecs
		data      int      // tracks
		err       string
	}{
		"all of it":                      {head + video + audio, video + audio, nil, 0, ""},
		"one is left out":                {head + bad + video + audio, video + audio, []string{"mpeg4-generic"}, 0, ""},
		"two are left out":               {head + bad + video + bad, video, []string{"mpeg4-generic", "mpeg4-generic"}, 0, ""},
		"no name":                        {head + video + "m=audio 0 RTP/AVP 200\r\na=bad", video, []string{"audio of RTP payload type"}, 0, ""},
		"no format":                      {head + "m=video 0 RTP/AVP\r\n" + bad, "", []string{"video of RTP payload type", "mpeg4-generic"}, 0, "the camera describes its picture wrongly: it names no format"},
		"sound alone, without its setup": {head + bad, "", []string{"mpeg4-generic"}, 0, "the camera offers no picture, and the camera describes its sound wrongly: config is missing"},
		"bad lines before the tracks":    {"a=bad\r\nb=x\r\nt=now\r\no=\r\nfoo\r\nc=IN\r\nz=\r\na=key-mgmt:x\r\n" + video, video, nil, 0, ""},
		"bad lines in a track":           {head + video + "s=x\r\no=y\r\nt=0 0\r\nc=\r\nb=AS\r\nx\r\n=\r\na=range:\r\na=mid:a b\r\na=key-mgmt:x\r\na=crypto:x\r\n", video, nil, 0, ""},
		"nothing but the track":          {video, video, nil, 0, ""},
		"LF alone":                       {strings.ReplaceAll(head+video, "\r\n", "\n"), video, nil, 0, ""},
		"CR alone":                       {strings.ReplaceAll(head+video, "\r\n", "\r"), video, nil, 0, ""},
		"NULs, and a byte order mark":    {"\ufeff" + head + video + "\x00\x00", video, nil, 0, ""},
		"spaces":                         {"v = 0\r\nm = video  0  RTP/AVP  96 \r\n a=rtpmap: 96  H264 / 90000\r\n", video, nil, 0, ""},
		"capitals":                       {"V=0\r\nM=VIDEO 0 RTP/AVP 96\r\nA=RTPMAP:96 h264/90000\r\n", strings.ToLower("m=video") + strings.Replace(video[len("m=video"):], "H264", "H264", 1), nil, 0, ""},
		"a clock with a point":           {head + strings.Replace(video, "90000", "90000.0", 1), video, nil, 0, ""},
		"a clock of 0":                   {head + strings.Replace(video, "90000", "0", 1), video, nil, 0, ""},
		"no clock":                       {head + strings.Replace(video, "/90000", "", 1), video, nil, 0, ""},
		"no name of the codec":           {head + "m=video 0 RTP/AVP 96\r\n" + sprop, video + sprop, nil, 0, ""},
		"another payload type in m":      {head + strings.Replace(video, "AVP 96", "AVP 35", 1), video, nil, 0, ""},
		"neither port nor type":          {head + "m=video 0\r\n", "", []string{"video of RTP payload type"}, 0, "the camera describes its picture wrongly: it names no format"},
		"no port":                        {head + strings.Replace(video, " 0 ", " ", 1), video, nil, 0, ""},
		"another profile":                {head + strings.Replace(video, "RTP/AVP", "RTP/AVPF/UDP", 1), video, nil, 0, ""},
		"parameters of sets that are no base64": {
			head + video + "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=***,!!\r\n",
			video + "a=fmtp:96 packetization-mode=1\r\n", nil, 0, "",
		},
		"parameters that are all bad": {head + video + "a=fmtp:96 packetization-mode=x;sprop-parameter-sets=*,*\r\n", video, nil, 0, ""},
		"parameters of another type": {
			head + video + strings.ReplaceAll(bad+aac, "fmtp:97", "fmtp:96"),
			video + strings.Replace(bad, " MPEG4-GENERIC", "  mpeg4-generic", 1) + aac, nil, 0, "",
		},
		"Opus without channels": {
			head + video + "m=audio 0 RTP/AVP 98\r\na=rtpmap:98 opus/48000\r\n",
			video + "m=audio 0 RTP/AVP 98\r\na=rtpmap:98 opus/48000/2\r\n", nil, 0, "",
		},
		"several formats, one bad": {
			head + video + "m=audio 0 RTP/AVP 97 0\r\na=rtpmap:97 mpeg4-generic/8000\r\n", video + audio, nil, 0, "",
		},
		"equal payload types": {head + strings.Replace(video, "AVP 96", "AVP 96 96", 1), video, nil, 0, ""},
		"the only picture is marked sendonly": {
			head + video + "a=sendonly\r\n" + audio, video + audio, nil, 0, "",
		},
		"all tracks are marked sendonly": {head + video + "a=sendonly\r\n" + audio + "a=sendonly\r\n", video + audio, nil, 0, ""},
		"a back channel":                 {head + video + audio + audio + "a=sendonly\r\n", video + audio, nil, 1, ""},
		"data": {
			head + "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n" + video + "m=text x\r\nm=\r\n", video, nil, 3, "",
		},
		"only data":             {head + "m=application 0 RTP/AVP 107\r\n", "", nil, 1, "there is no video to record: the camera offers only data (application of RTP payload type 107)"},
		"control of the tracks": {head + video + "a=control:*\r\n", video, nil, 0, ""},
		"control with spaces":   {head + video + "a=control:track 1\r\n", "m=video 0 RTP/AVP 96\r\na=control:track 1\r\na=rtpmap:96 H264/90000\r\n", nil, 0, ""},
		"control that is bad":   {head + video + "a=control:rtsp://[::1/%zz\r\n", video, nil, 0, ""},
		"control by HTTP":       {head + video + "a=control:http://x/y\r\n", "m=video 0 RTP/AVP 96\r\na=control:rtsp://x/y\r\na=rtpmap:96 H264/90000\r\n", nil, 0, ""},
		"a huge line":           {head + "i=" + strings.Repeat("x", 50_000) + "\r\n" + video, video, nil, 0, ""},
		"too many":              {head + video + strings.Repeat(bad, maxTracks), "", nil, 0, "more than 32 tracks"},
		"empty":                 {"", "", nil, 0, "the camera describes no track"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(&Source{Log: newTestLog(new(logBuffer))}, nil)
			res := &base.Response{StatusCode: base.StatusOK, Header: base.Header{"Content-Type": {"application/sdp"}}, Body: []byte(c.sdp)}
			s.onResponse(res)
			err := s.reason(nil)
			if (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error is %v, want %q", err, c.err)
			}
			var lost []string
			for _, l := range s.left.lost {
				lost = append(lost, l.codec)
			}
			if !slices.Equal(lost, c.lost) || len(s.left.data) != c.data {
				t.Errorf("lost are %q, want %q; data %q", lost, c.lost, s.left.data)
			}
			if _, got, _ := strings.Cut(string(res.Body), "t=0 0\r\n"); err == nil && got != c.want {
				t.Errorf("gortsplib gets\n%s\nwant\n%s", got, c.want)
			}
		})
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
