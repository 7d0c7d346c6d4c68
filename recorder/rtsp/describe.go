package rtsp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	"github.com/bluenviron/gortsplib/v5/pkg/sdpunmarshaler"

	"nvrfs/codec"
)

// maxTracks is how many tracks a session description may have. Real cameras have five at most.
const maxTracks = 32

// onResponse reads an answer of the camera before gortsplib does, because gortsplib reads it in a goroutine of its own, where
// a panic cannot be recovered from. What cannot be read here never reaches gortsplib: it gets a refusal instead, and the
// session ends for the reason found here.
func (s *session) onResponse(res *base.Response) {
	err := s.guard.Do(s.log, "the camera's answer to a request", func() error {
		readHeaders(res.Header)
		return s.readDescription(res)
	})
	if err == nil {
		return
	}
	// Not a status that gortsplib answers by itself, as it does 404 to OPTIONS, 401, 461 and redirections.
	*res = base.Response{StatusCode: base.StatusNotImplemented, Header: base.Header{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err)
}

// readHeaders reads the headers that gortsplib reads. Their errors are gortsplib's to report; only a panic matters here. A key
// that cannot be read is taken out, because gortsplib reads its parts in random order, and may come to panic over one where
// here another had failed before.
func readHeaders(h base.Header) {
	_ = new(headers.Session).Unmarshal(h["Session"])
	_ = new(headers.Transport).Unmarshal(h["Transport"])
	if err := new(headers.KeyMgmt).Unmarshal(h["KeyMgmt"]); err != nil {
		delete(h, "KeyMgmt")
	}
	for _, urls := range []base.HeaderValue{h["Location"], h["Content-Base"]} {
		for _, u := range urls {
			_, _ = base.ParseURL(u)
		}
	}
}

// readDescription reads the session description of an answer to DESCRIBE, and writes it anew with the tracks that can be recorded.
func (s *session) readDescription(res *base.Response) error {
	contentType := res.Header["Content-Type"]
	if res.StatusCode != base.StatusOK || len(contentType) != 1 || !strings.HasPrefix(contentType[0], "application/sdp") {
		return nil
	}
	session, tracks := readSDP(res.Body)
	if len(tracks) > maxTracks {
		return fmt.Errorf("the camera describes more than %d tracks", maxTracks)
	}
	s.left = leftOut{}
	var kept []*described
	for _, t := range tracks {
		if why := s.passes(t, tracks); why != "" {
			s.left.data = append(s.left.data, why)
		} else if err := s.readable(t); err != nil {
			s.left.lost = append(s.left.lost, lostTrack{t.kind, t.name(), wronglyDescribed(t.kind, err)})
		} else {
			kept = append(kept, t)
		}
	}
	if len(kept) == 0 {
		return s.left.nothing()
	}
	if err := s.parses(writeSDP(session, kept...)); err != nil { // the keys of the session, which concern encryption alone
		session = slices.DeleteFunc(session, func(a string) bool { return strings.HasPrefix(a, "a=key-mgmt") })
	}
	res.Body = writeSDP(session, kept...)
	return s.parses(res.Body)
}

// passes returns why a track is left out without being looked at, which is no loss, or "".
func (s *session) passes(t *described, tracks []*described) string {
	switch {
	case t.kind != "video" && t.kind != "audio":
		return "data (" + t.name() + ")"
	case t.kind == "video" || !t.sendonly:
		return ""
	}
	// Cameras that mark all their tracks so mean that they send them.
	for _, other := range tracks {
		if (other.kind == "audio" || other.kind == "video") && !other.sendonly {
			return "a back channel (" + t.name() + "), which leads to the camera"
		}
	}
	return ""
}

// readable leaves of a track what gortsplib can read: its formats one by one, and those without a parameter that cannot be read.
// The error is that of its first format, whole.
func (s *session) readable(t *described) error {
	t.control = mendControl(t.control)
	var first error
	var kept []describedFormat
	for _, f := range t.formats {
		good, err := s.readableFormat(t, f)
		if err == nil {
			kept = append(kept, good)
		} else if first == nil {
			first = err
		}
	}
	if len(kept) > 0 {
		t.formats = kept
		return nil
	}
	if first == nil {
		return errors.New("it names no format")
	}
	return first
}

func (s *session) readableFormat(t *described, f describedFormat) (describedFormat, error) {
	try := func(f describedFormat, keys []string) error {
		alone := *t
		alone.formats, alone.keys = []describedFormat{f}, keys
		return s.parses(writeSDP(nil, &alone))
	}
	why := try(f, t.keys)
	if why != nil && try(f, nil) == nil {
		t.keys, why = nil, nil
	}
	switch {
	case why == nil && codec.ReadsDescription(f.rtpmap):
		return f, s.receives(t, f)
	case why == nil:
		return f, nil
	}
	for i := range len(f.parameters) + 1 { // at last without any
		if less := f.without(i); try(less, t.keys) == nil {
			return less, nil
		}
	}
	return f, why
}

// receives reports why package codec would not read a format that gortsplib leaves to it.
func (s *session) receives(t *described, f describedFormat) error {
	alone := *t
	alone.formats = []describedFormat{f}
	return s.guard.Do(s.log, "the camera's description of its tracks", func() error {
		desc, err := describedSession(writeSDP(nil, &alone))
		if err == nil {
			_, _, err = codec.Receive(desc.Medias[0].Formats[0])
		}
		return err
	})
}

// parses reports why gortsplib would not read a session description.
func (s *session) parses(sdp []byte) error {
	err := s.guard.Do(s.log, "the camera's description of its tracks", func() error { _, err := describedSession(sdp); return err })
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "media 1 is invalid: ") {
		err = inner
	}
	return err
}

// describedSession calls whatever gortsplib calls on a session description, in DESCRIBE and in SETUP.
func describedSession(sdp []byte) (*description.Session, error) {
	parsed, err := sdpunmarshaler.Unmarshal(sdp)
	if err != nil {
		return nil, err
	}
	if control, ok := parsed.Attribute("control"); ok {
		_, _ = base.ParseURL(control)
	}
	desc := new(description.Session)
	if err := desc.Unmarshal2(parsed); err != nil {
		return nil, err
	}
	for _, m := range desc.Medias {
		if len(m.Formats) == 0 {
			return nil, errors.New("a track has no format")
		}
		for _, f := range m.Formats {
			f.ClockRate()
			f.PayloadType()
			f.RTPMap()
		}
	}
	return desc, nil
}

// mendControl returns the control attribute of a track (RFC 2326 C.1.1) such that it makes a URL, and "" where it makes none, so
// that the URL of the session holds.
func mendControl(control string) string {
	if control == "*" || control == "" {
		return ""
	}
	if i := strings.Index(control, "://"); i >= 0 {
		u, err := url.Parse(control)
		if err != nil {
			return ""
		}
		if u.Scheme != "rtsp" && u.Scheme != "rtsps" {
			u.Scheme = "rtsp"
		}
		u.Fragment = ""
		control = u.String()
	}
	from := &base.URL{Scheme: "rtsp", Host: "camera", Path: "/"}
	for _, c := range []string{control, (&url.URL{Path: control}).EscapedPath()} {
		if u, err := (description.Media{Control: c}).URL(from); err == nil && u != nil {
			return c
		}
	}
	return ""
}

// oneEach leaves chosen and one other format of each payload type. gortsplib never ends the goroutine of a second one.
func oneEach(formats []format.Format, chosen format.Format) []format.Format {
	out := []format.Format{chosen}
	for _, f := range formats {
		if !slices.ContainsFunc(out, func(o format.Format) bool { return o.PayloadType() == f.PayloadType() }) {
			out = append(out, f)
		}
	}
	return out
}
