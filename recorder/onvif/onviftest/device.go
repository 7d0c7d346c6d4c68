// Package onviftest is an ONVIF device for tests, which does what devices do, and some of what they do wrong.
package onviftest

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// How a device wants its user to be proven.
const (
	Nobody = ""       // it answers everyone
	WS     = "ws"     // a WS-UsernameToken, refused by a fault
	Digest = "digest" // HTTP digest with MD5
	SHA256 = "sha256" // HTTP digest with SHA-256
	Basic  = "basic"  // HTTP Basic alone
	Odd    = "odd"    // HTTP digest with an algorithm that nobody knows
)

// A Profile is a stream of a device.
type Profile struct {
	Token, Source, Codec string
	Width, Height        int
	URI                  string
}

// Options say what a device is like.
type Options struct {
	Auth           string
	User, Password string
	Ahead          time.Duration // of its clock
	Serial         string
	Endpoint       string // "" for a device that does not answer discovery
	Scopes         string // in addition to those of its name and model
	Profiles       []Profile
	Media2         bool // it has the newer media service, and that alone
	Old            bool // it does not know GetServices
	// Host is what it calls itself in addresses that it gives; where empty, 127.0.0.1.
	Host string
	// Answer, where set, replaces the answers to some calls, by their name: "GetProfiles".
	Answer map[string]http.HandlerFunc
	// Public has the device tell everyone its serial number.
	Public bool
	Events Events
}

// A Device is one that runs.
type Device struct {
	Options
	HTTP  *httptest.Server
	Probe netip.AddrPort // where it answers to discovery

	mu     sync.Mutex
	Calls  []string // the names of the requests that it let in
	Denied []string // and of those that it refused
	Seen   []string // the bodies of all, and their Authorization

	events events
}

// Start runs a device until the test ends.
func Start(t *testing.T, o Options) *Device {
	t.Helper()
	d := &Device{Options: o}
	d.HTTP = httptest.NewServer(d)
	t.Cleanup(d.HTTP.Close)
	if o.Endpoint != "" {
		d.discoverable(t)
	}
	return d
}

// Address is host:port of the device.
func (d *Device) Address() string { return strings.TrimPrefix(d.HTTP.URL, "http://") }

// Log returns the names of the requests that the device let in, those that it refused, and all that it was sent.
func (d *Device) Log() (calls, denied []string, seen string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.Calls...), append([]string{}, d.Denied...), strings.Join(d.Seen, "\n")
}

var bodyName = regexp.MustCompile(`Body[^>]*>\s*<(?:\w+:)?(\w+)`)

func (d *Device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	m := bodyName.FindSubmatch(text)
	if m == nil || !strings.HasPrefix(r.URL.Path, "/onvif/") {
		http.NotFound(w, r)
		return
	}
	name := string(m[1])
	d.mu.Lock()
	d.Seen = append(d.Seen, r.Header.Get("Authorization")+string(text))
	d.mu.Unlock()
	if !d.open(name) && !d.proven(w, r, text) {
		d.mu.Lock()
		d.Denied = append(d.Denied, name)
		d.mu.Unlock()
		return
	}
	d.mu.Lock()
	d.Calls = append(d.Calls, name)
	d.mu.Unlock()
	if f := d.Answer[name]; f != nil {
		f(w, r)
		return
	}
	if !d.answerEvents(w, r, name, text) {
		d.answer(w, name, text)
	}
}

// open reports whether everyone may call.
func (d *Device) open(name string) bool {
	switch name {
	case "GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetEndpointReference":
		return true
	case "GetDeviceInformation":
		return d.Public
	}
	return false
}

// proven reports whether the request comes from the user. It refuses it otherwise.
func (d *Device) proven(w http.ResponseWriter, r *http.Request, body []byte) bool {
	switch d.Auth {
	case Nobody:
		return true
	case WS:
		if d.token(body) {
			return true
		}
		Fault(w, http.StatusBadRequest, "ter:NotAuthorized", "Sender not Authorized")
		return false
	case Basic:
		w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
	case Odd:
		w.Header().Set("WWW-Authenticate", `Digest realm="cam", nonce="n0", algorithm=SHA-3`)
	case Digest, SHA256:
		algorithm, h := "MD5", md5.New
		if d.Auth == SHA256 {
			algorithm, h = "SHA-256", sha256.New
		}
		if d.digest(r, h) {
			return true
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest realm="cam", nonce="n0", qop="auth", algorithm=%s`, algorithm))
	}
	http.Error(w, "who are you?", http.StatusUnauthorized)
	return false
}

// tolerance is how far the time of a token may be from that of the device.
const tolerance = time.Minute

func (d *Device) token(body []byte) bool {
	var e struct {
		User     string `xml:"Header>Security>UsernameToken>Username"`
		Password string `xml:"Header>Security>UsernameToken>Password"`
		Nonce    string `xml:"Header>Security>UsernameToken>Nonce"`
		Created  string `xml:"Header>Security>UsernameToken>Created"`
	}
	if xml.Unmarshal(body, &e) != nil {
		return false
	}
	created, err := time.Parse(time.RFC3339, e.Created)
	nonce, errN := base64.StdEncoding.DecodeString(e.Nonce)
	if err != nil || errN != nil || created.Sub(d.now()).Abs() > tolerance {
		return false
	}
	sum := sha1.Sum([]byte(string(nonce) + e.Created + d.Password))
	return e.User == d.User && e.Password == base64.StdEncoding.EncodeToString(sum[:])
}

func (d *Device) now() time.Time { return time.Now().Add(d.Ahead).UTC() }

var digestParam = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^,]*))`)

func (d *Device) digest(r *http.Request, h func() hash.Hash) bool {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Digest ")
	if !ok {
		return false
	}
	p := map[string]string{}
	for _, m := range digestParam.FindAllStringSubmatch(text, -1) {
		p[m[1]] = m[2] + m[3]
	}
	sum := func(parts ...string) string {
		x := h()
		_, _ = io.WriteString(x, strings.Join(parts, ":"))
		return hex.EncodeToString(x.Sum(nil))
	}
	want := sum(sum(d.User, "cam", d.Password), p["nonce"], p["nc"], p["cnonce"], "auth", sum(r.Method, r.URL.RequestURI()))
	return p["username"] == d.User && p["response"] == want
}

func (d *Device) host() string {
	_, port, _ := net.SplitHostPort(d.Address())
	if d.Host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return net.JoinHostPort(d.Host, port)
}

func (d *Device) answer(w http.ResponseWriter, name string, text []byte) {
	switch name {
	case "GetSystemDateAndTime":
		t := d.now()
		Reply(w, fmt.Sprintf(`<GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime><Time><Hour>%d</Hour><Minute>%d</Minute><Second>%d</Second></Time>`+
			`<Date><Year>%d</Year><Month>%d</Month><Day>%d</Day></Date></UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse>`,
			t.Hour(), t.Minute(), t.Second(), t.Year(), t.Month(), t.Day()))
	case "GetServices":
		if d.Old {
			Fault(w, http.StatusInternalServerError, "ter:ActionNotSupported", "not known")
			return
		}
		media := "http://www.onvif.org/ver10/media/wsdl"
		if d.Media2 {
			media = "http://www.onvif.org/ver20/media/wsdl"
		}
		Reply(w, fmt.Sprintf(`<GetServicesResponse><Service><Namespace>%s</Namespace><XAddr>http://%s/onvif/media</XAddr></Service>`+
			`<Service><Namespace>http://www.onvif.org/ver10/events/wsdl</Namespace><XAddr>http://%[2]s/onvif/events</XAddr></Service></GetServicesResponse>`, media, d.host()))
	case "GetCapabilities":
		Reply(w, fmt.Sprintf(`<GetCapabilitiesResponse><Capabilities><Media><XAddr>http://%s/onvif/media</XAddr></Media></Capabilities></GetCapabilitiesResponse>`, d.host()))
	case "GetDeviceInformation":
		Reply(w, fmt.Sprintf(`<GetDeviceInformationResponse><Manufacturer>ACME</Manufacturer><Model>IPC-1</Model><FirmwareVersion>1.0</FirmwareVersion>`+
			`<SerialNumber>%s</SerialNumber><HardwareId>1</HardwareId></GetDeviceInformationResponse>`, d.Serial))
	case "GetEndpointReference":
		if d.Endpoint != "" {
			Reply(w, "<GetEndpointReferenceResponse><GUID>"+d.Endpoint+"</GUID></GetEndpointReferenceResponse>")
			return
		}
		Fault(w, http.StatusInternalServerError, "ter:ActionNotSupported", "not known")
	case "GetProfiles":
		Reply(w, d.profiles())
	case "GetStreamUri":
		d.streamURI(w, string(text))
	default:
		Fault(w, http.StatusInternalServerError, "ter:ActionNotSupported", "not known")
	}
}

func (d *Device) profiles() string {
	var b strings.Builder
	b.WriteString("<GetProfilesResponse>")
	for _, p := range d.Profiles {
		if d.Media2 {
			fmt.Fprintf(&b, `<Profiles token="%s"><Name>%[1]s</Name><Configurations><VideoSource><SourceToken>%s</SourceToken></VideoSource>`+
				`<VideoEncoder GovLength="50" Profile="Main"><Encoding>%s</Encoding><Resolution><Width>%d</Width><Height>%d</Height></Resolution>`+
				`<RateControl><FrameRateLimit>25.0</FrameRateLimit><BitrateLimit>4096</BitrateLimit></RateControl></VideoEncoder></Configurations></Profiles>`,
				p.Token, p.Source, p.Codec, p.Width, p.Height)
			continue
		}
		fmt.Fprintf(&b, `<Profiles token="%s"><Name>%[1]s</Name><VideoSourceConfiguration><SourceToken>%s</SourceToken></VideoSourceConfiguration>`+
			`<VideoEncoderConfiguration><Encoding>%s</Encoding><Resolution><Width>%d</Width><Height>%d</Height></Resolution>`+
			`<RateControl><FrameRateLimit>25</FrameRateLimit><BitrateLimit>4096</BitrateLimit></RateControl><H264><GovLength>50</GovLength></H264></VideoEncoderConfiguration></Profiles>`,
			p.Token, p.Source, p.Codec, p.Width, p.Height)
	}
	return b.String() + "</GetProfilesResponse>"
}

func (d *Device) streamURI(w http.ResponseWriter, text string) {
	for _, p := range d.Profiles {
		if !strings.Contains(text, ">"+p.Token+"<") {
			continue
		}
		uri := "<Uri>" + strings.ReplaceAll(p.URI, "&", "&amp;") + "</Uri>"
		if !d.Media2 {
			uri = "<MediaUri>" + uri + "</MediaUri>"
		}
		Reply(w, "<GetStreamUriResponse>"+uri+"</GetStreamUriResponse>")
		return
	}
	Fault(w, http.StatusInternalServerError, "ter:NoProfile", "Profile token does not exist")
}

var unprefixed = regexp.MustCompile(`<(/?)([A-Z])`)

// Reply answers with the body of an envelope. Its elements get the prefix of a namespace, as those of devices have one.
func Reply(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/soap+xml")
	body = unprefixed.ReplaceAllString(body, "<${1}tt:$2")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/ver10/schema">`+
		`<s:Body>%s</s:Body></s:Envelope>`, body)
}

// Fault answers with a fault.
func Fault(w http.ResponseWriter, status int, code, reason string) {
	w.Header().Set("Content-Type", "application/soap+xml")
	w.WriteHeader(status)
	Reply(w, fmt.Sprintf(`<s:Fault xmlns:ter="http://www.onvif.org/ver10/error"><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>%s</s:Value></s:Subcode></s:Code>`+
		`<s:Reason><s:Text xml:lang="en">%s</s:Text></s:Reason></s:Fault>`, code, reason))
}

var messageID = regexp.MustCompile(`MessageID>([^<]*)<`)

// discoverable has the device answer to probes.
func (d *Device) discoverable(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	d.Probe = netip.MustParseAddrPort(conn.LocalAddr().String())
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if m := messageID.FindSubmatch(buf[:n]); m != nil {
				_, _ = conn.WriteToUDP([]byte(d.match(string(m[1]))), from)
			}
		}
	})
	t.Cleanup(func() { conn.Close(); wg.Wait() })
}

func (d *Device) match(id string) string {
	return fmt.Sprintf(`<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">`+
		`<s:Header><a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body><d:ProbeMatches xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:ProbeMatch>`+
		`<a:EndpointReference><a:Address>%s</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>`+
		`<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Front%%20door onvif://www.onvif.org/hardware/IPC-1 %s</d:Scopes>`+
		`<d:XAddrs>http://%s/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`,
		id, d.Endpoint, d.Scopes, d.host())
}
