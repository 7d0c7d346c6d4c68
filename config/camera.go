package config

import (
	"regexp"
	"slices"
	"strings"
)

// Camera is one camera.
type Camera struct {
	Name    string   // letters, digits, - and _; a directory name on any system
	Streams []Stream // at least one; main and sub first where the file has their short forms
}

// Stream is one of the streams that a camera sends, with its own settings, or the camera's where it has none.
type Stream struct {
	Name      string // "main", "sub" or any other, formed as a camera's
	URL       URL
	Transport string // "tcp" (the default: nothing is lost on the way), "udp", "auto", "multicast" or "http"
	// Fingerprint is that of the certificate that the camera shows over rtsps://, "sha256:" and 64 digits in lower case, or "" where
	// the host trusts it anyway.
	Fingerprint string
	Samples     string // directory of its sample files; "" is the one in Data
	Retain      Limits // of the stream; if it has any of its own, none of the camera's hold
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
	f := v.fields("url", "sub", "streams", "transport", "tls", "samples", "retain")
	if !f.has("streams") {
		f.need("url", urlExample)
	}
	optional(f, "transport", &common.Transport, readTransport)
	optional(f, "tls", &common.Fingerprint, readTLS)
	optional(f, "samples", &common.Samples, r.path(samplesExample))
	optional(f, "retain", &common.Retain, readLimits)
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

// fingerprint matches what stands for a certificate. Other programs print it with colons.
var fingerprint = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func readTLS(v yamlValue) (sum string, err error) {
	f := v.fields("fingerprint")
	required(f, "fingerprint", "sha256:…, which the log has where the camera's certificate is not trusted", &sum, func(v yamlValue) (string, error) {
		text, err := v.text("sha256:…")
		if err != nil {
			return "", err
		}
		kind, digits, _ := strings.Cut(strings.ToLower(text), ":")
		if sum := kind + ":" + strings.ReplaceAll(digits, ":", ""); fingerprint.MatchString(sum) {
			return sum, nil
		}
		return "", v.errorf("%q; want sha256: and the 64 hexadecimal digits of the SHA-256 of the camera's certificate", text)
	})
	return sum, f.err
}

func (r configReader) url(v yamlValue) (URL, error) {
	template, err := v.text(urlExample)
	if err != nil {
		return URL{}, err
	}
	if r.env == nil && strings.Contains(template, "${") {
		return URL{}, nil
	}
	url, err := ParseURL(template, r.secret)
	if err != nil {
		return URL{}, v.errorf("%w", err)
	}
	return url, nil
}

// secret returns what ${name} stands for: the environment variable name or, of "file:PATH", the content of that file.
func (r configReader) secret(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		return readSecretFile(r.absolute(path))
	}
	return environmentSecret(name, r.env)
}
