package rtsp

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"nvrfs/codec/codectest"
	"nvrfs/integration/oddcamera"
)

// change has a description changed by pairs of what is replaced, each wherever it is.
func change(oldnew ...string) oddcamera.Case { return sdp(strings.NewReplacer(oldnew...).Replace) }

// withInBand has a camera send its parameter sets in band, too.
func withInBand(c oddcamera.Case) oddcamera.Case {
	c.Unit = inBand
	return c
}

// sprop has the parameter sets of the description be others.
func sprop(change func(sets []string) string) oddcamera.Case {
	return sdp(func(s string) string {
		return regexp.MustCompile(`sprop-parameter-sets=[^;\r]*`).ReplaceAllStringFunc(s, func(p string) string {
			return "sprop-parameter-sets=" + change(strings.Split(strings.TrimPrefix(p, "sprop-parameter-sets="), ","))
		})
	})
}

// avcC puts the sets into the configuration that mp4 files have (ISO/IEC 14496-15 5.3.3.1).
func avcC(sets []string) string {
	sps, _ := decode64(sets[0])
	pps, _ := decode64(sets[1])
	box := append([]byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1, 0, byte(len(sps))}, sps...)
	return encode64(append(append(box, 1, 0, byte(len(pps))), pps...))
}

const (
	rtpmapLine = "a=rtpmap:96 H264/90000\r\n"
	mLine      = "m=video 0 RTP/AVP 96\r\n"
)

// oddDescriptions are cameras that describe their tracks in ways that few others do. All of both tracks is recorded.
var oddDescriptions = map[string]oddcamera.Case{
	"a port":                      change("m=video 0", "m=video 554", "m=audio 0", "m=audio 49170/2"),
	"an address of IPv6":          change("c=IN IP4 0.0.0.0", "c=IN IP6 ::1/127", "IN IP4 127.0.0.1", "IN IP6 fe80::1%eth0"),
	"channels of a picture":       change("H264/90000", "H264/90000/1"),
	"small letters":               change("H264", "h264", "mpeg4-generic", "MPEG4-Generic", "packetization-mode", "Packetization-Mode"),
	"parameters with spaces":      change("packetization-mode=1;", "\tpacketization-mode = 1 ;;  foo; bar=; ", ";config=", " ;\t config = ", ";sizelength", " ; sizeLength"),
	"parameters that end late":    change("indexdeltalength=3\r\n", "indexdeltalength=3; ;\t;\r\n"),
	"parameters before the name":  change(rtpmapLine, "", "a=control:trackID=0", rtpmapLine+"a=control:trackID=0"),
	"a name twice":                change(rtpmapLine, rtpmapLine+"a=rtpmap:96 H265/90000\r\n"),
	"three sets":                  sprop(func(sets []string) string { return strings.Join(append(sets, sets[1]), ",") }),
	"sets that end with a comma":  sprop(func(sets []string) string { return strings.Join(sets, ", ") + "," }),
	"sets in another order":       sprop(func(sets []string) string { return sets[1] + "," + sets[0] }),
	"sets without padding":        sprop(func(sets []string) string { return strings.ReplaceAll(strings.Join(sets, ","), "=", "") }),
	"one set of both":             sprop(func(sets []string) string { return joinedSets(sets) }),
	"sets as mp4 has them":        withInBand(sprop(avcC)),
	"a set alone":                 withInBand(sprop(func(sets []string) string { return sets[0] })),
	"sets cut short":              withInBand(sprop(func(sets []string) string { return sets[0][:8] + "," + sets[1][:2] })),
	"no name first, of a picture": change(mLine, "m=video 0 RTP/AVP 99\r\na=control:trackID=7\r\n"+mLine),
	"no type first, of a picture": change(mLine, "m=video 0 RTP/AVP\r\na=control:trackID=7\r\n"+mLine),
	"MP4V first, of a picture":    change(mLine, "m=video 0 RTP/AVP 99\r\na=rtpmap:99 MP4V-ES/90000\r\na=control:trackID=7\r\n"+mLine),
	"the type of Motion JPEG":     change("m=video 0 RTP/AVP 96", "m=video 0 RTP/AVP 26"),
	"types in another order":      change("m=video 0 RTP/AVP 96", "m=video 0 RTP/AVP 98 96", rtpmapLine, "a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=96\r\n"+rtpmapLine),
	"FEC and repeats":             change("m=video 0 RTP/AVP 96", "m=video 0 RTP/AVP 96 97 98", rtpmapLine, rtpmapLine+"a=rtpmap:97 ulpfec/90000\r\na=rtpmap:98 red/90000\r\n"),
	"two pictures of one track, of which the second is sent": change("m=video 0 RTP/AVP 96", "m=video 0 RTP/AVP 98 96", rtpmapLine, "a=rtpmap:98 H265/90000\r\n"+rtpmapLine),
	"two sounds of one track, of which the second is sent":   change("m=audio 0 RTP/AVP 97", "m=audio 0 RTP/AVP 0 8 97"),
	"three sets, of which the last is used": sprop(func(sets []string) string {
		return sets[0] + "," + encode64(codectest.PPSOf(1, 0, false)) + "," + sets[1]
	}),
	"sound first": sdp(soundFirst),
	"bandwidths":  change(mLine, mLine+"b=AS:5000\r\nb=RR:0\r\nb=TIAS:x\r\n", "t=0 0", "t=0 0\r\nr=7d 1h 0\r\nb=AS:0\r\nk=clear:x\r\ne=a@b\r\np=1\r\nu=x y"),
	"odd attributes": change(mLine, mLine+"a=framerate:25.000000\r\na=cliprect:0,0,720,1280\r\na=framesize:96 1280-720\r\na=x-dimensions:1280,720\r\na=Media_header:MEDIAINFO=494D4B48;\r\na=appversion:1.0\r\n"+
		"a=recvonly\r\na=ssrc:1 cname:x\r\na=rtcp-mux\r\na=rtcp:0\r\na=extmap:1 x\r\na=group:BUNDLE a\r\na=range:clock=x-\r\na=etag:1\r\n"),
	"another host in control":    {Answer: controls("rtsp://10.9.8.7/live/", "a=control:rtsp://10.9.8.7/live")},
	"another port in control":    {Answer: controls("rtsp://127.0.0.1:1/live/", "")},
	"a user in control":          {Answer: controls("rtsp://a:b@127.0.0.1/live/", "")},
	"http in control":            {Answer: controls("http://127.0.0.1/live/", "")},
	"no host in control":         {Answer: controls("rtsp:///live/", "")},
	"a path in control":          {Answer: controls("/live/", "")},
	"a query in control":         {Answer: controls("live?x=1&y=/", "")},
	"a control of every track *": change("a=control:trackID=0", "a=control:*", "a=control:trackID=1", "a=control:*"),
	"controls twice":             change("a=control:trackID=0", "a=control:trackID=0\r\na=control:trackID=9"),
	"inactive":                   change(mLine, mLine+"a=inactive\r\n"),
	"two sessions of lines":      sdp(func(s string) string { return "\r\n\r\n" + s + "\r\n\r\n" }),
	"a NUL at the end":           sdp(func(s string) string { return s + "\x00\x00\x00\x00" }),
	"no version":                 change("v=0\r\n", ""),
	"version at the end":         sdp(func(s string) string { return strings.TrimPrefix(s, "v=0\r\n") + "v=0\r\n" }),
	"Latin 1":                    change("s=odd camera", "s=Eingang S\xfcd"),
	"payload type with a colon":  change("a=rtpmap:96 ", "a=rtpmap:96:", "a=fmtp:96 ", "a=fmtp: 96 "),
}

// joinedSets puts a start code between sets that are one.
func joinedSets(sets []string) string {
	var all []byte
	for _, s := range sets {
		data, _ := decode64(s)
		all = append(append(all, 0, 0, 0, 1), data...)
	}
	return encode64(all)
}

func soundFirst(s string) string {
	v, a := strings.Index(s, "m=video"), strings.Index(s, "m=audio")
	return s[:v] + s[a:] + s[v:a]
}

// controls has the tracks be controlled by URLs of another beginning.
func controls(begin, session string) func(*oddcamera.Session, *oddcamera.Request, *oddcamera.Answer) {
	return answer("DESCRIBE", func(a *oddcamera.Answer) {
		a.Body = strings.ReplaceAll(a.Body, "a=control:trackID", "a=control:"+begin+"trackID")
		if session != "" {
			a.Body = strings.Replace(a.Body, "a=control:*", session, 1)
		}
	})
}

// TestOddDescriptions records all that cameras have which describe it oddly.
func TestOddDescriptions(t *testing.T) {
	for name, c := range oddDescriptions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := ""
			if strings.HasSuffix(name, " first, of a picture") {
				log = "a track of the camera is not recorded; its other tracks are"
			}
			testOdd(t, oddCase{Case: c, sound: true, recorded: 2, log: log}, TCP)
		})
	}
}

// body has the answer to DESCRIBE have other headers of its body.
func body(change func(a *oddcamera.Answer, body string)) oddcamera.Case {
	return oddcamera.Case{Answer: answer("DESCRIBE", func(a *oddcamera.Answer) {
		body := a.Body
		a.Body = ""
		change(a, body)
		if a.Raw == "" {
			a.After = body
		}
	})}
}

func chunked(text string, size int) string {
	out := ""
	for len(text) > 0 {
		n := min(size, len(text))
		out += fmt.Sprintf("%x;ext=1\r\n%s\r\n", n, text[:n])
		text = text[n:]
	}
	return out + "0\r\n\r\n"
}

// transports answers SETUP of each track with a Transport of its own.
func transports(of ...string) oddcamera.Case {
	return oddcamera.Case{Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "SETUP" {
			a.Set("Transport", of[strings.Count(req.URL, "trackID=1")])
		}
	}}
}

// keepAlives answers keep-alives, of which there is one each second.
func keepAlives(change func(a *oddcamera.Answer)) oddcamera.Case {
	return oddcamera.Case{Speed: 1, Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		switch req.Method {
		case "SETUP":
			a.Set("Session", "12345678;timeout=6")
		case "GET_PARAMETER", "OPTIONS":
			change(a)
		}
	}}
}

// canonical has the names of headers in the case of HTTP, or in another.
func names(change func(string) string) oddcamera.Case {
	return raw(func(s string) string {
		head, body, _ := strings.Cut(s, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		for i, l := range lines[1:] {
			name, value, _ := strings.Cut(l, ":")
			lines[1+i] = change(name) + ":" + value
		}
		return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
	})
}

// oddAnswers are cameras that answer in ways that few others do. All of both tracks is recorded.
var oddAnswers = map[string]oddcamera.Case{
	"no reason":                       raw(func(s string) string { return strings.Replace(s, " OK\r\n", "\r\n", 1) }),
	"no reason, but a space":          raw(func(s string) string { return strings.Replace(s, " OK\r\n", " \r\n", 1) }),
	"another reason":                  raw(func(s string) string { return strings.Replace(s, " OK\r\n", " Ok. Gut: gemacht/1.0\r\n", 1) }),
	"RTSP 2":                          raw(func(s string) string { return strings.Replace(s, "RTSP/1.0", "RTSP/2.0", 1) }),
	"capitals":                        names(strings.ToUpper),
	"small letters":                   names(strings.ToLower),
	"names of HTTP":                   names(http.CanonicalHeaderKey),
	"names with spaces":               names(func(s string) string { return s + "  " }),
	"no space behind names":           raw(func(s string) string { return strings.ReplaceAll(s, ": ", ":") }),
	"headers that go on":              raw(func(s string) string { return strings.ReplaceAll(s, ": ", ":\r\n \t") }),
	"headers that go on late":         raw(func(s string) string { return strings.ReplaceAll(s, ";unicast;", ";unicast;\r\n\t") }),
	"a line more before the answer":   {Answer: answer("", func(a *oddcamera.Answer) { a.Before = "\r\n\r\n" })},
	"a session of odd letters":        {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", ` "1/2+3=$-_.ü" ; timeout = 30 `) })},
	"a session of timeout 0":          {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", "1;timeout=0") })},
	"a session of timeout -1":         {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", "1;timeout=-1") })},
	"a session of a huge timeout":     {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", "1;timeout=99999999999999999999") })},
	"a session of a timeout in words": {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", "1;timeout=60s;x") })},
	"a session of no name":            {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Set("Session", ";timeout=60") })},
	"no session":                      del("SETUP", "Session"),
	"a session that comes with PLAY":  {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Del("Session") })},
	"another session for each track": {Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "SETUP" {
			a.Set("Session", "s"+req.Header.Get("Cseq"))
		}
	}},
	"a session in every answer": {Answer: answer("", func(a *oddcamera.Answer) { a.Set("Session", "12345678;timeout=60") })},
	"RTP-Info that lies":        set("PLAY", "RTP-Info", "url=rtsp://x/trackID=0;seq=1;rtptime=2,url=;seq=a;rtptime=-1,,"),
	"a range that lies":         set("PLAY", "Range", "npt=now-"),
	"a scale":                   set("PLAY", "Scale", "0"),
	"a date of 1970":            set("", "Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
	"Public of nothing":         set("OPTIONS", "Public", ""),
	"Public of DESCRIBE alone":  set("OPTIONS", "Public", "DESCRIBE"),
	"a chunked body": body(func(a *oddcamera.Answer, b string) {
		a.Set("Transfer-Encoding", "chunked")
		a.After = ""
		a.Raw = strings.Replace(a.String(), "\r\n\r\n", "\r\n\r\n"+chunked(b, 100), 1)
	}),
	"a length in the old way":      body(func(a *oddcamera.Answer, b string) { a.Set("Content-length", fmt.Sprintf("%d bytes", len(b))) }),
	"a length of the other tracks": raw(longer(7)),
	"a length without the last NL": raw(longer(-2)),
	"a short form of length":       body(func(a *oddcamera.Answer, b string) { a.Set("l", fmt.Sprint(len(b))) }),
	"a body of OPTIONS":            {Answer: answer("OPTIONS", func(a *oddcamera.Answer) { a.Body = "hello\r\nRTSP/1.0 404 x\r\n\r\n" })},
	"a body of SETUP and PLAY": {Answer: answer("", func(a *oddcamera.Answer) {
		if a.Body == "" {
			a.Body = "v=0\r\n$\x00\x00\x01x"
		}
	})},
	"a content type of two":        set("DESCRIBE", "Content-Type", "application/sdp, text/plain; charset=utf-8"),
	"a content base of another":    contentBase("rtsp://10.11.12.13:554/live/"),
	"a content base without slash": contentBase("rtsp://HOST/live"),
	"Content-Location":             {Answer: answer("DESCRIBE", func(a *oddcamera.Answer) { a.Del("Content-Base"); a.Set("Content-Location", "rtsp://10.1.1.1/x") })},

	"channels of each other":    transports("RTP/AVP/TCP;unicast;interleaved=2-3", "RTP/AVP/TCP;unicast;interleaved=0-1"),
	"the same channel for both": transports("RTP/AVP/TCP;unicast;interleaved=0-0", "RTP/AVP/TCP;unicast;interleaved=0-0"),
	"both tracks on channel 0": {Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		if p.Unit.Track == 0 {
			return []*oddcamera.Packet{p}
		}
		data, err := p.Marshal()
		if err != nil {
			panic(err)
		}
		s.Write(oddcamera.Frame(0, data))
		return nil
	}},
	"channels of 256":                transports("RTP/AVP/TCP;unicast;interleaved=256-257", "RTP/AVP/TCP;unicast;interleaved=-1"),
	"channels in words":              transports("RTP/AVP/TCP;unicast;interleaved=a-b", "RTP/AVP/TCP;interleaved"),
	"Transport twice":                {Answer: answer("SETUP", func(a *oddcamera.Answer) { a.Lines = append(a.Lines, "Transport: RTP/AVP;unicast;client_port=1-2") })},
	"Transport with ports and TCP":   transport(func(s string) string { return s + ";client_port=0-0;server_port=0-0;source=0.0.0.0" }),
	"Transport with the mode RECORD": transport(func(s string) string { return s + `;mode="RECORD";append` }),
	"channels of no track": {Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		s.Write(oddcamera.Frame(8+int(p.SequenceNumber)%200, []byte("hello, who is there?")))
		return []*oddcamera.Packet{p}
	}},
	"frames of nothing": {Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		s.Write(oddcamera.Frame(7, nil) + "\r\n")
		return []*oddcamera.Packet{p}
	}},
	"texts between frames": {Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		s.Write("RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n")
		return []*oddcamera.Packet{p}
	}},
	"zeros between frames": {Packet: func(s *oddcamera.Session, p *oddcamera.Packet) []*oddcamera.Packet {
		s.Write("\x00\x00\x00\x00")
		return []*oddcamera.Packet{p}
	}},

	"keep-alives refused with 454": keepAlives(func(a *oddcamera.Answer) { a.Refuse("454 Session Not Found") }),
	"keep-alives refused with 501": keepAlives(func(a *oddcamera.Answer) { a.Refuse("501 Not Implemented") }),
	"keep-alives refused with 401": keepAlives(func(a *oddcamera.Answer) {
		a.Refuse("401 Unauthorized")
		a.Set("WWW-Authenticate", `Digest realm="c", nonce="abc", stale=true`)
	}),
	"keep-alives moved":             keepAlives(func(a *oddcamera.Answer) { a.Refuse("302 Moved"); a.Set("Location", "rtsp://10.0.0.9/") }),
	"keep-alives with a body":       keepAlives(func(a *oddcamera.Answer) { a.Set("Content-Type", "text/parameters"); a.Body = "x: y\r\n" }),
	"keep-alives answered by noise": keepAlives(func(a *oddcamera.Answer) { a.Raw = "RTSP/1.0 \r\n\r\n" }),
}

// TestOddAnswers records all that cameras have which answer oddly.
func TestOddAnswers(t *testing.T) {
	for name, c := range oddAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOdd(t, oddCase{Case: c, sound: true, recorded: 2}, TCP)
		})
	}
}

// oddLogins are cameras that ask for the password in ways that few others do. All of both tracks is recorded.
var oddLogins = map[string]oddcamera.Case{
	"small letters":            challenges(`digest realm="c", nonce="NONCE", algorithm=md5, qop="auth"`),
	"capitals":                 challenges(`DIGEST REALM="c", Nonce="NONCE", ALGORITHM="MD5", QOP="AUTH"`),
	"nothing in quotes":        challenges(`Digest realm=c, nonce=NONCE, qop=auth`),
	"no spaces":                challenges(`Digest realm="c",nonce="NONCE",qop="auth",algorithm="MD5"`),
	"spaces":                   challenges(`Digest   realm = "c" ,  nonce = "NONCE" , stale = FALSE`),
	"a domain":                 challenges(`Digest domain="::", realm="c", nonce="NONCE", stale=FALSE, opaque=""`),
	"a domain of URLs":         challenges(`Digest domain="rtsp://1.2.3.4/ /x", realm="c", nonce="NONCE", opaque="5ccc069c403ebaf9f0171e9517f40e41"`),
	"a realm of nothing":       challenges(`Digest realm="", nonce="NONCE"`),
	"a realm with commas":      challenges(`Digest realm="IP Camera(G1234), Digest Basic=\"x\", 'y'", nonce="NONCE"`),
	"a realm in UTF-8":         challenges(`Digest realm="Tür", nonce="NONCE", charset="UTF-8"`),
	"a session and SHA-256":    challenges(`Digest realm="c", nonce="NONCE", algorithm=SHA-256-sess, qop="auth-int, auth"`),
	"parameters of no meaning": challenges(`Digest realm="c", nonce="NONCE", userhash=false, bar="=,", algorithm=MD5`),
	"basic in small letters":   challenges(`basic realm="c"`),
	"basic without a realm":    challenges(`Basic`),
	"digest after others":      challenges(`Negotiate`, `Bearer realm="x", error="y"`, `NTLM TlRMTVNTUAACAAAA==`, `Digest realm="c", nonce="NONCE"`),
	"the same digest twice":    challenges(`Digest realm="c", nonce="NONCE"`, `Digest realm="c", nonce="NONCE"`),
	"a nonce for one request, not called stale": {Auth: &oddcamera.Auth{
		User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE", qop="auth"`}, NonceUses: 1,
	}, Answer: answer("", func(a *oddcamera.Answer) {
		for i := range a.Lines {
			a.Lines[i] = strings.TrimSuffix(a.Lines[i], ", stale=true")
		}
	})},
	"OPTIONS with 401": {Auth: &oddcamera.Auth{User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE"`}}, Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if req.Method == "OPTIONS" && req.Header.Get("Authorization") == "" {
			a.Refuse("401 Unauthorized")
			a.Set("WWW-Authenticate", `Digest realm="c", nonce="other"`)
		}
	}},
	"401 with a body": {Auth: &oddcamera.Auth{User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE"`}}, Answer: answer("", func(a *oddcamera.Answer) {
		if strings.HasPrefix(a.Status, "401") {
			a.Set("Content-Type", "text/html")
			a.Body = "<html>RTSP/1.0 200 OK\r\n\r\n</html>"
		}
	})},
	"401 for keep-alives": {Speed: 1, Auth: &oddcamera.Auth{User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE"`}}, Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		switch req.Method {
		case "SETUP":
			a.Set("Session", "12345678;timeout=6")
		case "GET_PARAMETER":
			a.Refuse("401 Unauthorized")
			a.Set("WWW-Authenticate", `Digest realm="c", nonce="n`+req.Header.Get("Cseq")+`"`)
		}
	}},
}

// TestOddLogins records all that cameras have which ask for the password oddly.
func TestOddLogins(t *testing.T) {
	for name, c := range oddLogins {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOdd(t, oddCase{Case: c, sound: true, recorded: 2}, TCP)
		})
	}
}
