package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Camera is one camera.
type Camera struct {
	Name    string   // letters, digits, - and _; a directory name on any system
	Streams []Stream // at least one; main and sub first where the file has their short forms
	ONVIF   URL      // where it is asked for its events; zero where it is not
}

// Stream is one of the streams that a camera sends, with its own settings, or the camera's where it has none.
type Stream struct {
	Name      string // "main", "sub" or any other, formed as a camera's
	URL       URL
	Transport string // "tcp" (the default: nothing is lost on the way), "udp", "auto", "multicast" or "http"
	// Fingerprint is of the certificate that the camera has to show over rtsps://: "sha256:" and 64 hexadecimal digits in lower case.
	// It is "" where the certificate has to be one that this host trusts.
	Fingerprint string
	Samples     string // directory of its sample files; "" is the one in Data
	Retain      Limits // of the stream; if it has any of its own, none of the camera's hold
	Device      Device // of the camera
}

// Device is what a camera is recognised by when its address has changed. Either field may be "".
type Device struct {
	Serial   string // the serial number, as the camera tells it by ONVIF
	Endpoint string // the name that it announces itself by in discovery, "urn:uuid:…"
}

// Stream returns the camera's stream of that name.
func (c Camera) Stream(name string) (s Stream, ok bool) {
	i := slices.IndexFunc(c.Streams, func(s Stream) bool { return s.Name == name })
	if i < 0 {
		return Stream{}, false
	}
	return c.Streams[i], true
}

func (r configReader) cameras(v yamlValue) ([]Camera, error) {
	names, values, err := v.entries()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, v.errorf("names no camera; want at least one, such as front-door: { url: rtsp://192.0.2.10/stream1 }")
	}
	cameras := make([]Camera, 0, len(names))
	for i, name := range names {
		if err := CheckName(name); err != nil {
			return nil, values[i].atKey().errorf("%w", err)
		}
		alike := func(c Camera) bool { return strings.EqualFold(c.Name, name) }
		if at := slices.IndexFunc(cameras, alike); at >= 0 {
			return nil, values[i].atKey().errorf(
				"the same as %q but for capitals, which some systems do not tell apart; want another name", cameras[at].Name)
		}
		camera, err := r.camera(name, values[i])
		if err != nil {
			return nil, err
		}
		cameras = append(cameras, camera)
	}
	return cameras, nil
}

// shortForms are the keys of a camera that are short for one of its streams, with the name of the stream.
var shortForms = []struct{ key, name string }{{"url", "main"}, {"sub", "sub"}}

func (r configReader) camera(name string, v yamlValue) (Camera, error) {
	c := Camera{Name: name}
	common := Stream{Transport: "tcp", Retain: Limits{AtLeast: unsaid}} // what the streams have where they do not say otherwise
	f := v.fields("url", "sub", "streams", "transport", "tls", "samples", "retain", "serial", "endpoint", "onvif")
	if !f.has("streams") {
		f.need("url", urlExample)
	}
	optional(f, "transport", &common.Transport, readTransport)
	optional(f, "tls", &common.Fingerprint, readTLS)
	optional(f, "samples", &common.Samples, r.path(samplesExample))
	optional(f, "retain", &common.Retain, readLimits)
	optional(f, "serial", &common.Device.Serial, readSerial)
	optional(f, "endpoint", &common.Device.Endpoint, readEndpoint)
	optional(f, "onvif", &c.ONVIF, r.onvif)
	for _, short := range shortForms {
		optional(f, short.key, &c.Streams, func(v yamlValue) ([]Stream, error) {
			s := common
			var err error
			s.Name = short.name
			s.URL, err = r.url(v)
			return append(c.Streams, s), err
		})
	}
	optional(f, "streams", &c.Streams, func(v yamlValue) ([]Stream, error) { return r.streams(v, c.Streams, common) })
	return c, f.err
}

// streams reads the streams of a camera that are written in full, and appends them to those that were written in short form. common
// has the settings of the camera, which hold for a stream that has none of its own.
func (r configReader) streams(v yamlValue, streams []Stream, common Stream) ([]Stream, error) {
	names, values, err := v.entries()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, v.errorf("names no stream; want at least one, such as main: rtsp://192.0.2.10/stream1")
	}
	for i, name := range names {
		if err := CheckStreamName(name); err != nil {
			return nil, values[i].atKey().errorf("%w", err)
		}
		if err := checkAlone(values[i].atKey(), name, streams, len(streams)-i); err != nil {
			return nil, err
		}
		s, err := r.stream(name, values[i], common)
		if err != nil {
			return nil, err
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// checkAlone checks that none of streams, the first of which come from short forms, has a name like that of key.
func checkAlone(key yamlValue, name string, streams []Stream, short int) error {
	at := slices.IndexFunc(streams, func(s Stream) bool { return strings.EqualFold(s.Name, name) })
	switch {
	case at < 0:
		return nil
	case at < short:
		i := slices.IndexFunc(shortForms, func(f struct{ key, name string }) bool { return f.name == streams[at].Name })
		return key.errorf("the camera's %s is the stream %q already; leave one of them out", shortForms[i].key, streams[at].Name)
	default:
		return key.errorf("the same as %q but for capitals, which some systems do not tell apart; want another name", streams[at].Name)
	}
}

// stream reads a mapping, or just the URL.
func (r configReader) stream(name string, v yamlValue, s Stream) (Stream, error) {
	s.Name = name
	if !v.isMapping() {
		var err error
		s.URL, err = r.url(v)
		return s, err
	}
	f := v.fields("url", "transport", "tls", "samples", "retain")
	required(f, "url", urlExample, &s.URL, r.url)
	optional(f, "transport", &s.Transport, readTransport)
	optional(f, "tls", &s.Fingerprint, readTLS)
	optional(f, "samples", &s.Samples, r.path(samplesExample))
	optional(f, "retain", &s.Retain, readLimits)
	return s, f.err
}

var readTransport = oneOf("tcp", "udp", "auto", "multicast", "http")

// fingerprint matches the fingerprint of a certificate. Other programs print it with colons.
var fingerprint = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func readTLS(v yamlValue) (sum string, err error) {
	f := v.fields("fingerprint")
	required(f, "fingerprint", "sha256:…, which the log has where the camera's certificate is not trusted", &sum, func(v yamlValue) (string, error) {
		text, err := v.text("sha256:…")
		if err != nil {
			return "", err
		}
		sum, err := ParseFingerprint(text)
		if err != nil {
			err = v.errorf("%w", err)
		}
		return sum, err
	})
	return sum, f.err
}

// ParseFingerprint returns the fingerprint of a certificate as Stream has it.
func ParseFingerprint(text string) (string, error) {
	kind, digits, _ := strings.Cut(strings.ToLower(text), ":")
	if sum := kind + ":" + strings.ReplaceAll(digits, ":", ""); fingerprint.MatchString(sum) {
		return sum, nil
	}
	return "", fmt.Errorf("%q; want sha256: and the 64 hexadecimal digits of the SHA-256 of the camera's certificate", text)
}

// readSerial reads text, or a number, which many serial numbers are, as it is written.
func readSerial(v yamlValue) (string, error) {
	const most = 200 // characters
	s, err := v.scalarText("DS-2CD2043G2-I20230101AAWRK01234567")
	if err == nil && len([]rune(s)) > most {
		err = v.errorf("is longer than %d characters; want the serial number that the camera tells", most)
	}
	return s, err
}

func readEndpoint(v yamlValue) (string, error) {
	const example = "urn:uuid:4d454930-0000-1000-8000-bcad28000000"
	s, err := v.text(example)
	if err == nil && (len(s) > 200 || strings.ContainsAny(s, " ")) {
		err = v.errorf("is no name of a device; want one such as %s", example)
	}
	return s, err
}

// onvif reads the URL of a device service, or just its host and port.
func (r configReader) onvif(v yamlValue) (URL, error) {
	return r.urlBy(v, onvifExample, func(template string, lookup func(string) (string, error)) (URL, error) {
		if !strings.Contains(template, "://") {
			template = "http://" + template
		}
		return parseURL(template, lookup, parseHTTP)
	})
}

func (r configReader) url(v yamlValue) (URL, error) { return r.urlBy(v, urlExample, ParseURL) }

// urlBy reads a URL that parse understands.
func (r configReader) urlBy(v yamlValue, example string, parse func(template string, lookup func(string) (string, error)) (URL, error)) (URL, error) {
	template, err := v.text(example)
	if err != nil {
		return URL{}, err
	}
	if r.env == nil && strings.Contains(template, "${") {
		return withoutSecret(template, parse), nil
	}
	url, err := parse(template, r.secret)
	if err != nil {
		return URL{}, v.errorf("%w", err)
	}
	return url, nil
}

// LookUpURL returns the URL that a template describes, as ParseURL does. Secrets come from env, and from files by absolute paths or
// those that start from the working directory.
func LookUpURL(template string, env Lookup) (URL, error) {
	return ParseURL(template, configReader{directory: ".", env: env}.secret)
}

// secret returns what ${name} stands for: the environment variable name or, of "file:PATH", the content of that file.
func (r configReader) secret(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return readSecretFile(r.absolute(path))
	}
	return environmentSecret(name, r.env)
}
