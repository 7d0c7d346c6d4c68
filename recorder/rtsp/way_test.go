package rtsp

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"

	"nvrfs/codec/codectest"
	"nvrfs/integration/oddcamera"
)

// redirects has the camera redirect DESCRIBE to what to returns, while it returns something.
func redirects(to func(s *oddcamera.Session) string) oddcamera.Case {
	return oddcamera.Case{Answer: func(s *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
		if where := to(s); req.Method == "DESCRIBE" && where != "" {
			a.Refuse("302 Moved Temporarily")
			a.Set("Location", where)
		}
	}}
}

// testURL is that of a camera, with user and password.
func testURL(cam *oddcamera.Camera) string {
	return strings.Replace(cam.URL, "://", "://"+url.UserPassword(testUser, testPassword).String()+"@", 1)
}

func recordOdd(t *testing.T, s *Source, want string) (*collector, string) {
	t.Helper()
	h, enough := new(collector), oddPictures
	if want != "" {
		enough = 1 << 30
	}
	log, err := runRTSP(t, s, h, 1, enough)
	if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
		t.Fatalf("error is %v, want %q in it\n%s", err, want, log)
	}
	return h, log
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	first := func(s *oddcamera.Session) string {
		if s.N < 3 {
			return s.Camera.URL
		}
		return ""
	}
	cam := oddcamera.Start(t, redirects(first))
	h, _ := recordOdd(t, &Source{URL: testURL(cam)}, "")
	checkSent(t, h, cam, false)

	relative := redirects(func(s *oddcamera.Session) string {
		if s.N == 0 {
			return "/other/live?x=1"
		}
		return ""
	})
	cam = oddcamera.Start(t, relative)
	recordOdd(t, &Source{URL: testURL(cam)}, "")
	for _, r := range cam.Requests() {
		if r.Method == "PLAY" && !strings.HasSuffix(r.URL, "/other/live?x=1/") {
			t.Errorf("PLAY goes to %s", r.URL)
		}
	}

	cam = oddcamera.Start(t, redirects(func(s *oddcamera.Session) string { return s.Camera.URL }))
	recordOdd(t, &Source{URL: testURL(cam)}, "redirects more than 3 times")
	if n := cam.Sessions(); n != 4 {
		t.Errorf("%d connections, want 4", n)
	}

	for location, want := range map[string]string{"": "which is no address", "http://x/": "which is no address", "rtsp://": "which is no address"} {
		cam = oddcamera.Start(t, oddcamera.Case{Answer: func(_ *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
			if req.Method == "DESCRIBE" {
				a.Refuse("301 Moved")
				a.Set("Location", location)
			}
		}})
		recordOdd(t, &Source{URL: testURL(cam)}, want)
	}
}

// TestRedirectKeepsPassword has a camera redirect to another host, which gets no password, nor a digest that it could try passwords
// against.
func TestRedirectKeepsPassword(t *testing.T) {
	t.Parallel()
	for _, ask := range []bool{false, true} {
		var c oddcamera.Case
		if ask {
			c.Auth = &oddcamera.Auth{User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE"`, `Basic realm="c"`}}
		}
		other := oddcamera.Start(t, c)
		to := strings.Replace(other.URL, "127.0.0.1", "localhost", 1) // which is another host to who reads the URL
		first := redirects(func(*oddcamera.Session) string { return to })
		first.Auth = &oddcamera.Auth{User: testUser, Password: testPassword, Challenges: []string{`Digest realm="c", nonce="NONCE"`}}
		first.Answer = func(answer func(*oddcamera.Session, *oddcamera.Request, *oddcamera.Answer)) func(*oddcamera.Session, *oddcamera.Request, *oddcamera.Answer) {
			return func(s *oddcamera.Session, req *oddcamera.Request, a *oddcamera.Answer) {
				if !strings.HasPrefix(a.Status, "401") {
					answer(s, req, a)
				}
			}
		}(first.Answer)
		cam := oddcamera.Start(t, first)
		want := ""
		if ask {
			want = `redirects to "localhost:`
		}
		recordOdd(t, &Source{URL: testURL(cam)}, want)
		noPassword(t, other)
		if other.Sessions() != 1 {
			t.Errorf("%d connections to the other host", other.Sessions())
		}
	}
}

// newCertificate makes one that nobody trusts.
func newCertificate(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "camera"}, DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	fingerprint := Fingerprint(certificate.Certificate[0])
	start := func(c oddcamera.Case) *oddcamera.Camera {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		return oddcamera.Start(t, c)
	}
	lock := locked(oddcamera.Auth{Challenges: []string{`Digest realm="c", nonce="NONCE"`}, NonceUses: 1})

	cam := start(lock)
	h, _ := recordOdd(t, &Source{URL: testURL(cam), Fingerprint: fingerprint}, "")
	checkSent(t, h, cam, false)
	recordOdd(t, &Source{URL: testURL(start(lock)), Fingerprint: strings.ToUpper(fingerprint), Transport: Auto}, "")

	pool := x509.NewCertPool()
	authority, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(authority)
	recordOdd(t, &Source{URL: testURL(start(lock)), TLSConfig: &tls.Config{RootCAs: pool}}, "")

	cam = start(lock)
	recordOdd(t, &Source{URL: testURL(cam)}, fmt.Sprintf("this host does not trust the camera's certificate; if it is the camera's own, write tls: { fingerprint: %q }", fingerprint))
	recordOdd(t, &Source{URL: testURL(cam), Fingerprint: "sha256:00"}, "another certificate than the configuration names, "+fingerprint)
	if cam.Requests() != nil {
		t.Errorf("the camera got %d requests although it is not trusted", len(cam.Requests()))
	}
	plain := oddcamera.Start(t, oddcamera.Case{})
	recordOdd(t, &Source{URL: strings.Replace(testURL(plain), "rtsp:", "rtsps:", 1), Fingerprint: fingerprint}, "does not encrypt at this port")
	recordOdd(t, &Source{URL: testURL(start(redirects(func(*oddcamera.Session) string { return plain.URL }))), Fingerprint: fingerprint}, "redirects from rtsps to")
	recordOdd(t, &Source{URL: testURL(start(oddcamera.Case{})), Fingerprint: fingerprint, Transport: UDP}, "does not encrypt packets by UDP")
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]oddcamera.Case{
		"open":   {},
		"digest": challenges(`Digest realm="c", nonce="NONCE", qop="auth"`),
		"basic":  challenges(`Basic realm="c"`),
	} {
		t.Run(name, func(t *testing.T) {
			cam := oddcamera.Start(t, c)
			h, _ := recordOdd(t, &Source{URL: testURL(cam), Transport: HTTP}, "")
			checkSent(t, h, cam, false)
			if m := methods(cam); !strings.HasPrefix(strings.Replace(m, "GET GET", "GET", 1), "GET POST OPTIONS DESCRIBE SETUP PLAY") {
				t.Errorf("requests are %s", m)
			}
		})
	}
	certificate := newCertificate(t)
	cam := oddcamera.Start(t, oddcamera.Case{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	recordOdd(t, &Source{URL: testURL(cam), Transport: HTTP, Fingerprint: Fingerprint(certificate.Certificate[0])}, "")

	wrong := challenges(`Digest realm="c", nonce="NONCE"`)
	wrong.Auth.Password = "another"
	recordOdd(t, &Source{URL: testURL(oddcamera.Start(t, wrong)), Transport: HTTP}, "the camera refuses the user name or password")
}

// TestSRTP has a camera that encrypts its packets besides: gortsplib takes the keys from the answers of the camera.
func TestSRTP(t *testing.T) {
	t.Parallel()
	certificate := newCertificate(t)
	for _, transport := range []Transport{TCP, UDP, Auto} {
		t.Run(string(transport), func(t *testing.T) {
			m := h264Media(codectest.SPS(10, 0, false), codectest.PPS(0))
			cam := &testCamera{locked: true, server: &gortsplib.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}}
			startVideo(t, cam, m, func() func(int) { return cam.sendH264(m) })
			h, _ := recordOdd(t, &Source{URL: cam.url("/live"), Transport: transport, Fingerprint: Fingerprint(certificate.Certificate[0])}, "")
			checkVideo(t, h.samples[0])
		})
	}
}

func TestSoundAlone(t *testing.T) {
	t.Parallel()
	for _, transport := range both {
		cam := oddcamera.Start(t, oddcamera.Case{Speed: 20}, oddcamera.DemoSound())
		h, _ := recordOdd(t, &Source{URL: testURL(cam), Transport: transport}, "")
		for i, s := range h.samples[0] {
			if want := cam.Sent(0)[i].Parts[0]; !bytes.Equal(s.Data, want) {
				t.Fatalf("frame %d over %s has %d bytes, want %d", i, transport, len(s.Data), len(want))
			}
		}
	}
}

// TestSaidOnce has a camera whose sound cannot be read, and that has data besides, be recorded three times: the log says so once.
func TestSaidOnce(t *testing.T) {
	t.Parallel()
	cam := oddcamera.Start(t, oddcamera.Case{NoUDP: true, SDP: func(s string) string {
		return regexp.MustCompile(`config=\w+;`).ReplaceAllString(s, "") + "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n"
	}}, oddcamera.DemoVideo(), oddcamera.DemoSound())
	s, all := &Source{URL: testURL(cam), Transport: Auto}, ""
	for range 3 {
		_, log := recordOdd(t, s, "")
		all += log
	}
	for _, want := range []string{"a track of the camera is not recorded", "some tracks of the camera are left out", "not by UDP"} {
		if strings.Count(all, want) != 1 {
			t.Errorf("want %q once:\n%s", want, all)
		}
	}
	if strings.Count(all, "\n") > 3 {
		t.Errorf("the log of three sessions is\n%s", all)
	}
}
