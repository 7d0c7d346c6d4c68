package rtsp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
)

const maxRedirects = 3

// mend makes an answer to a request that gortsplib reads without an error: only headers that it looks at, of values that make
// sense, and a status that it knows what to do with.
func (d *dialogue) mend(req *request, status int, m *message) *message {
	out := &message{body: m.body}
	set := func(name, value string) {
		if value != "" && len(value) < 2000 { // gortsplib takes 2048
			out.fields = append(out.fields, field{name, value})
		}
	}
	reason := m.first
	if _, rest, ok := strings.Cut(m.first, " "); ok {
		_, reason, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	set("cseq", req.cseq)
	set("session", mendSession(m.one("session")))
	switch {
	case status > 999:
		status = 500
	case status < 300:
		status = 200
	case req.method == "OPTIONS":
		status, out.body = 200, nil // what the camera will do, it says when it is asked for that
	}
	switch req.method {
	case "OPTIONS":
		set("public", strings.Join(append(m.all("public"), m.all("allow")...), ", "))
	case "DESCRIBE":
		if status >= 300 && status < 400 {
			where, err := d.s.redirect(req.uri, m.one("location"))
			d.s.because(err)
			set("location", where)
		}
		if status == 200 {
			if err := notDescribed(m); err != nil {
				d.s.because(err)
				status = 415
				break
			}
			set("content-type", "application/sdp")
			set("content-base", mendBase(req.uri, m.one("content-base")))
		}
	case "SETUP":
		if status == 200 {
			set("transport", d.mendTransport(req.transport, m.one("transport")))
			set("keymgmt", m.one("keymgmt"))
		} else {
			status = d.refusedTransport(req, status)
		}
	}
	out.first = fmt.Sprintf("RTSP/1.0 %03d %.100s", status, strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, reason))
	return out
}

// mendSession keeps the identifier, and of the parameters the timeout alone (RFC 2326 12.37).
func mendSession(value string) string {
	id, params, _ := strings.Cut(value, ";")
	id = strings.TrimSpace(id)
	if _, after, ok := strings.Cut(strings.ToLower(params), "timeout="); ok && id != "" {
		if n := leadingNumber(strings.Trim(after, `" `)); n > 0 {
			return id + ";timeout=" + strconv.Itoa(n)
		}
	}
	return id
}

// notDescribed says what the camera answers to DESCRIBE in place of a session description. Its Content-Type is not asked, because
// some cameras have none, or a wrong one.
func notDescribed(m *message) error {
	if bytes.Contains(m.body, []byte("m=")) {
		return nil
	}
	what := "nothing"
	if len(m.body) > 0 {
		what = fmt.Sprintf("%q of type %q", firstLine(m.body), firstLine([]byte(m.one("content-type"))))
	}
	return errors.New("the camera answers DESCRIBE, but describes no track: it sends " + what)
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.TrimSpace(line[:min(len(line), maxCodecName)]))
}

// mendBase returns the Content-Base of an answer as an absolute URL, and "" where it makes none, so that the URL of the request
// holds in its place.
func mendBase(uri, value string) string {
	asked, err := base.ParseURL(uri)
	value = strings.Trim(value, ` "<>`)
	if err != nil || value == "" {
		return ""
	}
	candidates := []string{value, asked.Scheme + ":" + value, asked.Scheme + "://" + value}
	if strings.Contains(value, "://") {
		candidates = candidates[:1]
	}
	host, _, _ := strings.Cut(value, "/")
	host, _, _ = strings.Cut(host, ":")
	if !strings.Contains(value, "://") && !strings.HasPrefix(value, "//") && host != asked.Hostname() && net.ParseIP(host) == nil {
		candidates = []string{resolve(asked, value)}
	}
	for _, c := range candidates {
		if u, err := base.ParseURL(c); err == nil && u.Host != "" {
			return u.CloneWithoutCredentials().String()
		}
	}
	return ""
}

// resolve returns the URL that a relative one is.
func resolve(from *base.URL, relative string) string {
	ref, err := url.Parse(relative)
	if err != nil {
		return ""
	}
	return (*url.URL)(from.CloneWithoutCredentials()).ResolveReference(ref).String()
}

// redirect returns where an answer of the camera leads to.
func (s *session) redirect(uri, location string) (string, error) {
	asked, err := base.ParseURL(uri)
	if err != nil {
		return "", err
	}
	to := mendBase(uri, location)
	if to == "" {
		return "", fmt.Errorf("the camera redirects to %s, which is no address", quoted(location))
	}
	s.mu.Lock()
	s.redirects++
	n := s.redirects
	s.mu.Unlock()
	switch {
	case n > maxRedirects:
		return "", fmt.Errorf("the camera redirects more than %d times, at last to %s", maxRedirects, quoted(to))
	case asked.Scheme == "rtsps" && !strings.HasPrefix(to, "rtsps:"):
		return "", fmt.Errorf("the camera redirects from rtsps to %s, which is not encrypted; write it into the configuration if that is what you want", quoted(to))
	}
	return to, nil
}

// refusedTransport is the status of a refusal of SETUP as gortsplib hears it. Where it is left to nvrfs how packets travel, it tries
// TCP only for the status 461, but cameras that send by TCP alone have others too.
func (d *dialogue) refusedTransport(req *request, status int) int {
	if d.s.client.Protocol == nil && !strings.Contains(req.transport, "interleaved=") && len(d.channels) == 0 &&
		slices.Contains([]int{400, 403, 406, 415, 455, 459, 460, 500, 501, 503, 551}, status) {
		return 461
	}
	return status
}

var portsOf = regexp.MustCompile(`^(\d{1,5})(?:-(\d{1,5}))?$`)

// mendTransport returns the Transport header of an answer: with parameters that can be read, and with those of the request where
// the camera left out what it agreed to.
func (d *dialogue) mendTransport(asked, answered string) string {
	answered, _, _ = strings.Cut(answered, ",")
	tcp := strings.Contains(asked, "interleaved=")
	profile, delivery, params := "", "", map[string]string{}
	for part := range strings.SplitSeq(answered, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(value, ` "`)
		switch {
		case strings.HasPrefix(name, "rtp/"):
			profile = strings.ToUpper(name)
		case name == "unicast", name == "multicast":
			delivery = name
		case slices.Contains([]string{"interleaved", "port", "client_port", "server_port"}, name) && portsOf.MatchString(value):
			if name == "server_port" && leadingNumber(value) <= 1 {
				continue // not said
			}
			params[name] = value
		case name == "source", name == "destination":
			if ip := net.ParseIP(strings.Trim(value, "[]")); ip != nil && !(name == "source" && ip.IsLoopback()) {
				params[name] = ip.String()
			}
		}
	}
	wanted, _, _ := strings.Cut(asked, ";")
	switch {
	case tcp && (params["interleaved"] != "" || params["server_port"] == "" && params["client_port"] == ""):
		delete(params, "server_port")
		delete(params, "client_port")
		if params["interleaved"] = d.channelsOf(asked, params["interleaved"]); profile == "" || strings.Contains(profile, "SAVP") == strings.Contains(wanted, "SAVP") {
			profile = wanted
		}
	case params["interleaved"] != "" && !tcp && !strings.Contains(profile, "/TCP"):
		profile = strings.TrimSuffix(profile, "/UDP") + "/TCP"
	case profile == "":
		profile = wanted
	}
	out := profile
	if delivery != "" {
		out += ";" + delivery
	}
	for _, name := range []string{"source", "destination", "interleaved", "port", "client_port", "server_port"} {
		if v := params[name]; v != "" {
			out += ";" + name + "=" + v
		}
	}
	return out
}

// channelsOf returns the channels of a track: those of the answer where they are a pair that no other track has, and else those
// that were asked for.
func (d *dialogue) channelsOf(asked, answered string) string {
	_, want, _ := strings.Cut(asked, "interleaved=")
	want, _, _ = strings.Cut(want, ";")
	first := leadingNumber(want)
	if m := portsOf.FindStringSubmatch(answered); m != nil {
		n := leadingNumber(m[1])
		pair := m[2] == "" || leadingNumber(m[2]) == n+1
		if taken := slices.ContainsFunc(d.channels, func(c int) bool { return n >= c-1 && n <= c+1 }); pair && !taken && n < 255 {
			first = n
		}
	}
	d.channels = append(d.channels, first)
	if types := d.s.settingUp.Load(); types != nil {
		d.routes.add(*types, first)
	}
	return fmt.Sprintf("%d-%d", first, first+1)
}
