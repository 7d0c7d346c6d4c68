package rtsp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"nvrfs/integration/oddcamera"
)

// oddPictures is how many pictures are recorded of each odd camera that is recorded: two GOPs, and a part of a third.
const oddPictures = 55

var (
	overTCP = []Transport{TCP}
	both    = []Transport{TCP, UDP}
	each    = []Transport{TCP, UDP, Multicast, HTTP}
)

// An oddCase is a camera that does something wrong, and what is right then: pictures, or a reason.
type oddCase struct {
	oddcamera.Case
	transports []Transport
	sound      bool                                        // the camera has AAC
	late       bool                                        // recording begins some pictures late, of which the log may warn
	recorded   int                                         // tracks; with reason, the session goes until that comes
	reason     string                                      // is in the error
	not        string                                      // is not
	log        string                                      // is in the log, once
	check      func(t *testing.T, cam *oddcamera.Camera)   // of what the camera saw
	source     func(cam *oddcamera.Camera, source *Source) // changes the source
}

func answer(method string, change func(a *oddcamera.Answer)) func(*oddcamera.Session, *oddcamera.Request, *oddcamera.Answer) {
	return func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == method || method == "" {
			change(a)
		}
	}
}

func set(method, name, value string) oddcamera.Case {
	return oddcamera.Case{Answer: answer(method, func(a *oddcamera.Answer) { a.Set(name, value) })}
}

func del(method, name string) oddcamera.Case {
	return oddcamera.Case{Answer: answer(method, func(a *oddcamera.Answer) { a.Del(name) })}
}

func refuse(method, status string) oddcamera.Case {
	return oddcamera.Case{Answer: answer(method, func(a *oddcamera.Answer) { a.Refuse(status) })}
}

func sdp(change func(string) string) oddcamera.Case { return oddcamera.Case{SDP: change} }

func replace(old, by string) oddcamera.Case {
	return sdp(func(s string) string { return strings.Replace(s, old, by, 1) })
}

func locked(auth oddcamera.Auth) oddcamera.Case {
	auth.User, auth.Password = testUser, testPassword
	return oddcamera.Case{Auth: &auth}
}

func challenges(c ...string) oddcamera.Case { return locked(oddcamera.Auth{Challenges: c}) }

// refuseSound refuses SETUP of the second track in some way.
func refuseSound(how func(a *oddcamera.Answer)) oddcamera.Case {
	return oddcamera.Case{Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "SETUP" && strings.HasSuffix(req.URL, "trackID=1") {
			how(a)
		}
	}}
}

// asks has the camera send requests of its own, one with each picture.
func asks(requests ...string) oddcamera.Case {
	return oddcamera.Case{Unit: func(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
		if u.N < len(requests) {
			s.Write(fmt.Sprintf(requests[u.N], s.Camera.URL, 900+u.N))
		}
		return []*oddcamera.Unit{u}
	}}
}

// answers counts what the client answered to requests of the camera.
func answers(n int) func(*testing.T, *oddcamera.Camera) {
	return func(t *testing.T, cam *oddcamera.Camera) {
		got := 0
		for _, r := range cam.Requests() {
			if r.Method == "RTSP/1.0" {
				got++
			}
		}
		if got != n {
			t.Errorf("%d requests of the camera were answered, want %d", got, n)
		}
	}
}

const junkFrame = "$\x00\x00\x05hello"

var oddCases = map[string]oddCase{
	"nothing odd":           {transports: each, sound: true, recorded: 2},
	"digest":                {Case: challenges(`Digest realm="c", nonce="NONCE"`), transports: both, recorded: 1},
	"basic":                 {Case: challenges(`Basic realm="c"`), recorded: 1},
	"digest of SHA-256":     {Case: challenges(`Digest realm="c", nonce="NONCE", algorithm=SHA-256, qop="auth"`), recorded: 1},
	"digest with a session": {Case: challenges(`Digest realm="c", nonce="NONCE", algorithm=MD5-sess, qop="auth,auth-int", opaque="a=b,c"`), recorded: 1},
	"two digests": {Case: challenges(
		`Digest realm="c", nonce="NONCE", algorithm=SHA-256, qop="auth"`, `Digest realm="c", nonce="NONCE", algorithm=MD5`, `Basic realm="c"`,
	), transports: both, recorded: 1},
	"two digests, of which one fails": {Case: oddcamera.Case{Auth: &oddcamera.Auth{
		User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE", algorithm=MD5`},
	}, Answer: answer("", func(a *oddcamera.Answer) {
		for i, l := range a.Lines {
			if strings.HasPrefix(l, "WWW-Authenticate") {
				nonce := regexp.MustCompile(`nonce="[^"]*"`).FindString(l)
				a.Lines = append(a.Lines, l)
				a.Lines[i] = `WWW-Authenticate: Digest realm="other", ` + nonce + `, algorithm=SHA-256, qop="auth"`
				return
			}
		}
	})}, recorded: 1},
	"challenges in one header": {Case: oddcamera.Case{Auth: &oddcamera.Auth{
		User: testUser, Password: testPassword, Challenges: []string{`Basic realm="c, d"`, `Digest nonce="NONCE" , realm = "c=\"d\""`},
	}, Answer: answer("", joinChallenges)}, recorded: 1},
	"a nonce for two requests":   {Case: locked(oddcamera.Auth{Challenges: []string{`Digest realm="c", nonce="NONCE", qop="auth"`}, NonceUses: 2}), transports: both, sound: true, recorded: 2},
	"a nonce for one request":    {Case: locked(oddcamera.Auth{Challenges: []string{`Digest realm="c", nonce="NONCE"`}, NonceUses: 1}), transports: both, sound: true, recorded: 2},
	"a password of another user": {Case: oddcamera.Case{Auth: &oddcamera.Auth{User: "else", Password: "x", Challenges: []string{`Digest realm="c", nonce="NONCE"`}}}, reason: "refuses the user name or password"},
	"only SHA-512-256": {
		Case:   challenges(`Digest realm="c", nonce="NONCE", algorithm=SHA-512-256, qop="auth-int"`),
		reason: `asks for the password by "digest with SHA-512-256 and qop auth-int" only`, not: "refuses the user",
	},
	"basic beside a digest that is not known": {
		Case:   challenges(`Basic realm="c"`, `Digest realm="c", nonce="NONCE", algorithm=SHA-512-256`),
		reason: `by "digest with SHA-512-256" only`, not: "refuses the user", check: noPassword,
	},
	"no challenge": {Case: challenges(), reason: "does not say in which way", not: "refuses the user"},

	"packets before DESCRIBE is answered": {Case: oddcamera.Case{Answer: answer("DESCRIBE", func(a *oddcamera.Answer) { a.Before = junkFrame + junkFrame })}, recorded: 1},
	"packets before every answer":         {Case: oddcamera.Case{Answer: answer("", func(a *oddcamera.Answer) { a.Before = "$\x07\x00\x05hello" })}, recorded: 1},
	"noise between messages":              {Case: oddcamera.Case{Answer: answer("", func(a *oddcamera.Answer) { a.Before = "\r\n\x00 ABCDEF nonsense\r\n" })}, recorded: 1},
	"requests of the camera": {
		Case: asks("ANNOUNCE %s RTSP/1.0\r\nCSeq: %d\r\nContent-Length: 5\r\n\r\nv=0\r\n", "SET_PARAMETER %s RTSP/1.0\r\nCSeq: %d\r\n\r\n",
			"OPTIONS %s RTSP/1.0\r\nCSeq: %d\r\n\r\n", "GET_PARAMETER %s RTSP/1.0\r\nCSeq: %d\r\n\r\n", "FOO %s RTSP/1.0\r\nCSeq: %d\r\n\r\n"),
		transports: both, recorded: 1, check: answers(5),
	},
	"REDIRECT":                {Case: asks("REDIRECT %s RTSP/1.0\r\nCSeq: %d\r\nLocation: rtsp://other/x\r\n\r\n"), transports: both, reason: `the stream moved to "rtsp://other/x"`},
	"TEARDOWN":                {Case: asks("TEARDOWN %s RTSP/1.0\r\nCSeq: %d\r\n\r\n"), transports: both, reason: "the camera ended the session (TEARDOWN)"},
	"another CSeq":            {Case: set("", "CSeq", "7"), transports: both, sound: true, recorded: 2},
	"no CSeq":                 {Case: del("", "CSeq"), transports: both, recorded: 1},
	"100 Continue":            {Case: oddcamera.Case{Answer: answer("", func(a *oddcamera.Answer) { a.Before = "RTSP/1.0 100 Continue\r\n\r\n" })}, recorded: 1},
	"every answer twice":      {Case: oddcamera.Case{Answer: answer("", func(a *oddcamera.Answer) { a.After = a.String() })}, recorded: 1},
	"LF alone":                {Case: raw(func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }), recorded: 1},
	"headers without a colon": {Case: raw(func(s string) string { return strings.Replace(s, "\r\n", "\r\nno header\r\n: x\r\nX:\r\n", 1) }), recorded: 1},
	"a huge header": {Case: raw(func(s string) string {
		return strings.Replace(s, "\r\n", "\r\nX: "+strings.Repeat("y", 30000)+"\r\n", 1)
	}), recorded: 1},
	"many headers":              {Case: raw(func(s string) string { return strings.Replace(s, "\r\n", "\r\n"+strings.Repeat("X: y\r\n", 250), 1) }), recorded: 1},
	"another version":           {Case: raw(func(s string) string { return strings.Replace(s, "RTSP/1.0 200 OK", "RTSP/1.1  200", 1) }), recorded: 1},
	"OPTIONS refused":           {Case: refuse("OPTIONS", "451 Parameter Not Understood"), transports: both, recorded: 1},
	"OPTIONS without an answer": {Case: oddcamera.Case{Answer: answer("OPTIONS", func(a *oddcamera.Answer) { a.None = true })}, recorded: 1},
	"PLAY without an answer":    {Case: oddcamera.Case{Speed: 5, Answer: answer("PLAY", func(a *oddcamera.Answer) { a.Raw = "\r\n" })}, transports: both, sound: true, recorded: 2},
	"control in quotes":         {Case: sdp(func(s string) string { return regexp.MustCompile(`trackID=\d`).ReplaceAllString(s, `"$0"`) }), sound: true, recorded: 2},
	"another status for good":   {Case: oddcamera.Case{Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Status = "201 Created" })}, recorded: 1},
	"PLAY without a range": {Case: oddcamera.Case{Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "PLAY" && req.Header.Get("Range") != "" {
			a.Refuse("457 Invalid Range")
		}
	}}, recorded: 1},

	"no Content-Type":               {Case: del("DESCRIBE", "Content-Type"), transports: both, recorded: 1},
	"a senseless Content-Type":      {Case: set("DESCRIBE", "Content-Type", "text/html; x"), recorded: 1},
	"no Content-Base":               {Case: del("DESCRIBE", "Content-Base"), transports: both, recorded: 1},
	"an empty Content-Base":         {Case: set("DESCRIBE", "Content-Base", ""), recorded: 1},
	"a Content-Base without scheme": {Case: contentBase("HOST/live/"), transports: both, sound: true, recorded: 2},
	"a Content-Base of slashes":     {Case: contentBase("//HOST/live/"), recorded: 1},
	"a relative Content-Base":       {Case: contentBase("/live/"), recorded: 1},
	"a senseless Content-Base":      {Case: contentBase("rtsp://[::1/%zz"), recorded: 1},
	"a page in place of a description": {Case: oddcamera.Case{Answer: answer("DESCRIBE", func(a *oddcamera.Answer) {
		a.Set("Content-Type", "text/html")
		a.Body = "<html>\r\n"
	})}, reason: `describes no track: it sends "<html>" of type "text/html"`},
	"no Content-Length":                   {Case: raw(func(s string) string { return regexp.MustCompile(`Content-Length.*\r\n`).ReplaceAllString(s, "") }), recorded: 1},
	"a Content-Length that is too large":  {Case: raw(longer(100)), recorded: 1},
	"a Content-Length that is too small":  {Case: raw(longer(-20)), recorded: 1},
	"a Content-Length that is impossible": {Case: raw(longer(1 << 29)), reason: "the camera sent a message of 5368"},
	"a Session twice, of odd parameters": {Case: oddcamera.Case{Answer: answer("SETUP", func(a *oddcamera.Answer) {
		a.Del("Session")
		a.Lines = append(a.Lines, "Session: ", `Session: 12345678 ; Timeout="60";x`, "Session: 2")
	})}, transports: both, recorded: 1},
	"no stream of that path": {Case: refuse("DESCRIBE", "404 Not Found"), reason: "answers 404 (Not Found): the camera knows no stream of that path", not: "password"},
	"forbidden":              {Case: refuse("DESCRIBE", "403 Forbidden"), reason: "answers 403 (Forbidden)", not: "password"},
	"too many clients":       {Case: refuse("PLAY", "453 Not Enough Bandwidth"), reason: "maybe since too many clients watch it"},
	"the picture is refused": {Case: refuse("SETUP", "500 Internal Server Error"), reason: "SETUP of the video track: the camera answers 500", sound: true},
	"control characters in a reason": {
		Case: oddcamera.Case{Answer: answer("DESCRIBE", func(a *oddcamera.Answer) { a.Refuse("500 a\x1b[31m\x00b" + strings.Repeat("c", 5000)) })}, reason: "answers 500 (a[31mb",
	},

	"Transport in small letters": {Case: transport(strings.ToLower), transports: both, sound: true, recorded: 2},
	"Transport of odd parameters": {Case: transport(func(s string) string {
		return s + `;mode="x";ttl=x;ssrc=zz;destination=;source=no such host;interleave=1,RTP/AVP/TCP`
	}), transports: both, sound: true, recorded: 2},
	"no Transport":            {Case: del("SETUP", "Transport"), sound: true, recorded: 2},
	"no channels":             {Case: transport(func(string) string { return "RTP/AVP/TCP;unicast" }), sound: true, recorded: 2},
	"one channel":             {Case: transport(func(s string) string { return regexp.MustCompile(`-\d+`).ReplaceAllString(s, "") }), transports: overTCP, sound: true, recorded: 2},
	"the same channels twice": {Case: transport(func(string) string { return "RTP/AVP/TCP;unicast;interleaved=0-1" }), sound: true, recorded: 2},
	"Transport without TCP":   {Case: transport(func(s string) string { return strings.Replace(s, "/TCP", "", 1) }), sound: true, recorded: 2},
	"no server_port": {
		Case: transport(func(s string) string { return regexp.MustCompile(`;server_port=[\d-]*`).ReplaceAllString(s, "") }), transports: []Transport{UDP, Auto},
		sound: true, recorded: 2,
	},
	"server_port of 0": {Case: transport(func(s string) string {
		return regexp.MustCompile(`server_port=[\d-]*`).ReplaceAllString(s, "server_port=0-0")
	}), transports: []Transport{UDP}, sound: true, recorded: 2},
	"another server_port": {Case: transport(func(s string) string {
		return regexp.MustCompile(`server_port=[\d-]*`).ReplaceAllString(s, "server_port=9-10")
	}), transports: []Transport{UDP}, sound: true, recorded: 2},
	"no UDP":                   {Case: oddcamera.Case{NoUDP: true}, transports: []Transport{Auto}, sound: true, recorded: 2, log: "the camera refuses UDP"},
	"no UDP, by another name":  {Case: refuseUDP("400 Bad Request"), transports: []Transport{Auto}, sound: true, recorded: 2, log: "the camera refuses UDP"},
	"no UDP, where it must be": {Case: oddcamera.Case{NoUDP: true}, transports: []Transport{UDP}, reason: "it does not send in the way of transport: udp"},
	"TCP in place of UDP":      {Case: transport(func(string) string { return "RTP/AVP/TCP;unicast;interleaved=0-1" }), transports: []Transport{UDP}, reason: "sends by TCP only; set transport: tcp"},
	"UDP in place of TCP":      {Case: transport(func(string) string { return "RTP/AVP;unicast;client_port=1-2;server_port=3-4" }), reason: "sends by UDP only; set transport: udp"},
	"UDP that does not arrive": {
		Case:       oddcamera.Case{Unit: silentUDP, Report: func(s *oddcamera.Session, _ int, _ *rtcp.SenderReport) bool { return s.N > 0 }},
		transports: []Transport{Auto}, recorded: 1, log: "no packet came by UDP",
	},
	"keep-alives answered wrong": {Case: oddcamera.Case{Speed: 1, Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		switch {
		case req.Method == "SETUP":
			a.Set("Session", "12345678;timeout=6") // one each second
		case req.Method == "GET_PARAMETER" && req.Header.Get("Cseq") > "5":
			a.Refuse("500 x")
			a.Set("CSeq", "x")
		case req.Method == "GET_PARAMETER":
			a.None = true
		}
	}}, transports: both, recorded: 1, check: func(t *testing.T, cam *oddcamera.Camera) {
		if n := strings.Count(methods(cam), "GET_PARAMETER"); n == 0 {
			t.Error("no keep-alive was sent")
		}
	}},

	"s= in a track": {Case: replace("a=rtpmap", "s=x\r\ni=y\r\na=rtpmap"), transports: both, sound: true, recorded: 2},
	"sendonly":      {Case: replace("a=rtpmap", "a=sendonly\r\na=rtpmap"), transports: both, sound: true, recorded: 2},
	"sets that are no base64": {Case: oddcamera.Case{SDP: func(s string) string {
		return regexp.MustCompile(`sprop-parameter-sets=.*`).ReplaceAllString(s, "sprop-parameter-sets=*,*")
	}, Unit: inBand}, recorded: 1},
	"no parameters at all":            {Case: oddcamera.Case{SDP: func(s string) string { return regexp.MustCompile(`a=fmtp:96.*\r\n`).ReplaceAllString(s, "") }, Unit: inBand}, transports: []Transport{TCP, UDP, Auto}, recorded: 1},
	"sets in Annex B":                 {Case: sdp(annexB), recorded: 1},
	"an empty c=":                     {Case: replace("c=IN IP4 0.0.0.0", "c="), transports: both, recorded: 1},
	"spaces in rtpmap":                {Case: replace("a=rtpmap:96 H264/90000", "a=rtpmap:96  H264 / 90000 "), recorded: 1},
	"absolute control":                {Case: absoluteControl, transports: both, sound: true, recorded: 2},
	"a relative control of the whole": {Case: replace("a=control:*", "a=control:./x"), recorded: 1},
	"equal payload types":             {Case: replace("RTP/AVP 96", "RTP/AVP 96 96"), recorded: 1},
	"equal payload types of tracks": {Case: sdp(func(s string) string {
		return s + "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 foo/8000\r\na=control:trackID=9\r\n"
	}), recorded: 1, log: "a track of the camera is not recorded"},
	"sound without its configuration":  {Case: sdp(func(s string) string { return regexp.MustCompile(`config=\w+;`).ReplaceAllString(s, "") }), transports: both, sound: true, recorded: 1, log: "the camera describes its sound wrongly: config is missing"},
	"parameters of another format":     {Case: replace("a=fmtp:97", "a=fmtp:96"), sound: true, recorded: 2},
	"sound refused with 500":           {Case: refuseSound(func(a *oddcamera.Answer) { a.Refuse("500 Internal Server Error") }), transports: both, sound: true, recorded: 1, log: "SETUP of the audio track: the camera answers 500"},
	"sound refused with 404":           {Case: refuseSound(func(a *oddcamera.Answer) { a.Refuse("404 Not Found") }), sound: true, recorded: 1, log: "a track of the camera is not recorded"},
	"sound without an answer":          {Case: refuseSound(func(a *oddcamera.Answer) { a.None = true }), transports: both, sound: true, recorded: 1, log: "the camera did not answer within 10s"},
	"sound whose Transport is nothing": {Case: refuseSound(func(a *oddcamera.Answer) { a.Set("Transport", "RTP/AVP;client_port=1-2") }), sound: true, recorded: 1, log: "a track of the camera is not recorded"},
	"a picture that is described wrongly": {
		Case:   sdp(func(s string) string { return strings.NewReplacer(" 96", " 20", ":96", ":20").Replace(s) }),
		reason: "describes its picture wrongly: H264 has the RTP payload type 20", not: "set it to H.264",
	},
	"a picture of a codec that is not recorded, with sound": {
		Case: replace("H264/90000", "MP4V-ES/90000"), sound: true, reason: "there is no video to record: the camera offers MP4V-ES, mpeg4-generic; set it to",
	},
	"data tracks": {
		Case: sdp(func(s string) string {
			return strings.Replace(s, "m=video", "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\nm=video", 1) +
				"m=text 0 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\nm=audio 0 RTP/AVP 0\r\na=sendonly\r\n"
		}),
		recorded: 1, sound: false, log: "some tracks of the camera are left out", not: "WARN",
	},
}

func methods(cam *oddcamera.Camera) string {
	all := ""
	for _, r := range cam.Requests() {
		all += r.Method + " "
	}
	return all
}

func noPassword(t *testing.T, cam *oddcamera.Camera) {
	for _, r := range cam.Requests() {
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("%s has Authorization: %s", r.Method, a)
		}
	}
}

// raw changes the text of every answer.
func raw(change func(string) string) oddcamera.Case {
	return oddcamera.Case{Answer: answer("", func(a *oddcamera.Answer) { a.Raw = change(a.String()) })}
}

// longer says that the description has so many bytes more.
func longer(by int) func(string) string {
	return func(s string) string {
		return regexp.MustCompile(`Content-Length: \d+`).ReplaceAllStringFunc(s, func(l string) string {
			n, _ := strconv.Atoi(strings.TrimPrefix(l, "Content-Length: "))
			return fmt.Sprintf("Content-Length: %d", n+by)
		})
	}
}

func contentBase(value string) oddcamera.Case {
	return oddcamera.Case{Answer: func(s *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "DESCRIBE" {
			host, _, _ := strings.Cut(strings.TrimPrefix(s.Camera.URL, "rtsp://"), "/")
			a.Set("Content-Base", strings.Replace(value, "HOST", host, 1))
		}
	}}
}

func transport(change func(string) string) oddcamera.Case {
	return oddcamera.Case{Answer: answer("SETUP", func(a *oddcamera.Answer) {
		for _, l := range a.Lines {
			if value, ok := strings.CutPrefix(l, "Transport: "); ok {
				a.Set("Transport", change(value))
			}
		}
	})}
}

func refuseUDP(status string) oddcamera.Case {
	return oddcamera.Case{Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "SETUP" && !strings.Contains(req.Header.Get("Transport"), "TCP") {
			a.Refuse(status)
		}
	}}
}

// joinChallenges has one header with all challenges.
func joinChallenges(a *oddcamera.Answer) {
	const name = "WWW-Authenticate: "
	all := ""
	for _, l := range a.Lines {
		if c, ok := strings.CutPrefix(l, name); ok {
			all += ", " + c
		}
	}
	if a.Del("WWW-Authenticate"); all != "" {
		a.Lines = append(a.Lines, name+all[2:])
	}
}

// silentUDP sends nothing in the first session, which is that of UDP.
func silentUDP(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
	if s.N == 0 {
		return nil
	}
	return []*oddcamera.Unit{u}
}

// inBand sends parameter sets with each sync sample.
func inBand(s *oddcamera.Session, u *oddcamera.Unit) []*oddcamera.Unit {
	if u.Sync && u.Track == 0 {
		u.Parts = append(append([][]byte{}, s.Camera.Tracks[0].Sets...), u.Parts...)
	}
	return []*oddcamera.Unit{u}
}

// annexB puts a start code before each parameter set of the description. AAAA is three bytes of it, and 'AWdC' would be others.
func annexB(s string) string {
	return regexp.MustCompile(`sprop-parameter-sets=([^,]*),([^;\r]*)`).ReplaceAllStringFunc(s, func(p string) string {
		sets := strings.Split(strings.TrimPrefix(p, "sprop-parameter-sets="), ",")
		for i, set := range sets {
			data, err := decode64(set)
			if err != nil {
				panic(err)
			}
			sets[i] = encode64(append([]byte{0, 0, 0, 1}, data...))
		}
		return "sprop-parameter-sets=" + strings.Join(sets, ",")
	})
}

var absoluteControl = oddcamera.Case{Answer: func(s *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
	if req.Method == "DESCRIBE" {
		a.Body = strings.ReplaceAll(a.Body, "a=control:trackID", "a=control:"+s.Camera.URL+"/trackID")
		a.Body = strings.Replace(a.Body, "a=control:*", "a=control:"+s.Camera.URL+"/", 1)
	}
}}

// TestOddCameras has each odd camera recorded, every picture of it, or a reason that names what is wrong.
func TestOddCameras(t *testing.T) {
	for name, c := range oddCases {
		if c.transports == nil {
			c.transports = overTCP
		}
		for _, transport := range c.transports {
			t.Run(name+" over "+string(transport), func(t *testing.T) {
				t.Parallel()
				testOdd(t, c, transport)
			})
		}
	}
}

func testOdd(t *testing.T, c oddCase, transport Transport) {
	if c.Case.Speed == 0 {
		c.Case.Speed = 20
	}
	tracks := []*oddcamera.Track{oddcamera.DemoVideo()}
	if c.sound {
		tracks = append(tracks, oddcamera.DemoSound())
	}
	paused := watchHost(t)
	cam := oddcamera.Start(t, c.Case, tracks...)
	s := &Source{URL: strings.Replace(cam.URL, "://", "://"+testUser+":p%40ss%2Fw%23rd%25%3F@", 1), Transport: transport, SilenceTimeout: 20 * time.Second}
	if c.source != nil {
		c.source(cam, s)
	}
	h, enough := new(collector), oddPictures
	if c.reason != "" {
		enough = 1 << 30
	}
	log, err := runRTSP(t, s, h, max(c.recorded, 1), enough)
	if transport == UDP {
		h.needDatagrams(t)
	}
	switch {
	case c.reason == "" && err != nil:
		t.Fatalf("%v\n%s", err, methods(cam))
	case c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)):
		t.Fatalf("error is %v, want %q in it", err, c.reason)
	case err != nil && (len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x00\x1b\n")):
		t.Errorf("the error is too long, or has control characters: %q", err)
	}
	said := log
	if err != nil {
		said += err.Error()
	}
	if c.not != "" && strings.Contains(said, c.not) {
		t.Errorf("%q is in the error %v, or in the log:\n%s", c.not, err, log)
	}
	if n := strings.Count(log, c.log); c.log != "" && (n == 0 || n > 1 && c.log != lossLine) {
		t.Errorf("want %q once in the log:\n%s", c.log, log)
	}
	if c.log == "" && c.reason == "" && !c.late && strings.Contains(log, "level=WARN") && paused() < mostPause {
		t.Errorf("the log warns:\n%s", log)
	}
	if c.recorded > 0 {
		if len(h.tracks) != c.recorded {
			t.Errorf("%d tracks are recorded, want %d", len(h.tracks), c.recorded)
		}
		checkSent(t, h, cam, c.late)
	}
	if c.check != nil {
		c.check(t, cam)
	}
}

// checkSent holds the pictures that were recorded against those that were sent in the newest session, from its first, or late.
func checkSent(t *testing.T, h *collector, cam *oddcamera.Camera, late bool) {
	t.Helper()
	session := cam.Sessions() - 1
	var sent []oddcamera.Sent
	for _, u := range cam.Sent(0) {
		if u.Session == session {
			sent = append(sent, u)
		}
	}
	for late && len(sent) > 0 && len(h.samples[0]) > 0 && !bytes.HasSuffix(h.samples[0][0].Data, pictureOf(sent[0])) {
		sent = sent[1:]
	}
	for i, s := range h.samples[0] {
		if i >= len(sent) {
			t.Fatalf("%d pictures came of %d", len(h.samples[0]), len(sent))
		}
		want := pictureOf(sent[i])
		if !bytes.HasSuffix(s.Data, want) || s.Sync != sent[i].Sync {
			h.needDatagrams(t)
			t.Fatalf("picture %d has %d bytes (sync %v), want %d (%v)", i, len(s.Data), s.Sync, len(want), sent[i].Sync)
		}
	}
}

// pictureOf is what a sample has of a picture that was sent, but for parameter sets. Delimiters, fillers, and what has no type of H.264
// or no content are not stored.
func pictureOf(u oddcamera.Sent) (data []byte) {
	for _, part := range u.Parts {
		if typ := part[0] & 0x1f; !slices.Contains([]byte{0, 7, 8, 9, 12}, typ) && typ < 24 && (len(part) > 1 || typ > 5) {
			data = append(binary.BigEndian.AppendUint32(data, uint32(len(part))), part...)
		}
	}
	return data
}

func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
