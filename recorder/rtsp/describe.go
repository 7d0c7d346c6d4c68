package rtsp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluenviron/gortsplib/v5/pkg/auth"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"
	"github.com/bluenviron/gortsplib/v5/pkg/sdpunmarshaler"

	"nvrfs/recorder/guard"
)

// maxTracks is how many tracks a session description may have. Real cameras have five at most; each one that is left out is
// a line in the log.
const maxTracks = 32

// onResponse reads an answer of the camera before gortsplib does, because gortsplib reads it in a goroutine of its own, where
// a panic cannot be recovered from. What cannot be read here never reaches gortsplib: it gets a refusal instead, and the
// session ends for the reason found here.
func (s *session) onResponse(res *base.Response) {
	err := s.guard.Do(s.log, "the camera's answer to a request", func() error {
		if s.digestOnly {
			res.Header["WWW-Authenticate"] = onlyDigest(res.Header["WWW-Authenticate"])
		}
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

// onlyDigest leaves the challenges to authenticate by digest.
func onlyDigest(challenges base.HeaderValue) base.HeaderValue {
	return slices.DeleteFunc(challenges, func(c string) bool { return !strings.HasPrefix(strings.ToLower(c), "digest") })
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
	_ = (&auth.Sender{WWWAuth: h["WWW-Authenticate"]}).Initialize()
	for _, urls := range []base.HeaderValue{h["Location"], h["Content-Base"]} {
		for _, u := range urls {
			_, _ = base.ParseURL(u)
		}
	}
}

// readDescription reads the session description of an answer to DESCRIBE, and takes the tracks out of it that cannot be read.
func (s *session) readDescription(res *base.Response) error {
	contentType := res.Header["Content-Type"]
	if res.StatusCode != base.StatusOK || len(contentType) != 1 || !strings.HasPrefix(contentType[0], "application/sdp") {
		return nil
	}
	parse := func(sdp []byte) error {
		return s.guard.Do(s.log, "the camera's description of its tracks", func() error { return parseDescription(sdp) })
	}
	body, err := readableTracks(res.Body, parse, func(codec string, why error) {
		s.leaveOut(codec, s.secrets.Error(why))
	})
	if err != nil {
		return fmt.Errorf("the camera's description of its tracks (SDP) cannot be read: %s", guard.Shorten(err.Error(), guard.MaxReason))
	}
	res.Body = body
	return nil
}

// parseDescription calls whatever gortsplib calls on a session description, in DESCRIBE and in SETUP.
func parseDescription(sdp []byte) error {
	_, err := describedSession(sdp)
	return err
}

func describedSession(sdp []byte) (*description.Session, error) {
	parsed, err := sdpunmarshaler.Unmarshal(sdp)
	if err != nil {
		return nil, err
	}
	if n := len(parsed.MediaDescriptions); n > maxTracks {
		return nil, fmt.Errorf("it has %d tracks, of %d at most", n, maxTracks)
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

// readableTracks returns a session description that parse accepts: sdp itself, or sdp without the tracks that parse does not
// accept. It tells leaveOut of each such track. It fails where no video is left that could be recorded.
//
// gortsplib would refuse the whole description for one sound track without a configuration.
func readableTracks(sdp []byte, parse func([]byte) error, leaveOut func(codec string, why error)) ([]byte, error) {
	why := parse(sdp)
	if why == nil {
		return sdp, nil
	}
	head, tracks := splitTracks(sdp)
	if len(tracks) > maxTracks {
		return nil, why
	}
	type refused struct {
		codec string
		why   error
	}
	var out []refused
	kept, video := bytes.Clone(head), false
	for _, track := range tracks {
		if err := parse(append(bytes.Clone(head), track...)); err != nil {
			out = append(out, refused{describedCodec(track), err})
			continue
		}
		kept = append(kept, track...)
		video = video || bytes.HasPrefix(track, []byte("m=video"))
	}
	if len(out) == 0 || !video {
		return nil, why
	}
	if err := parse(kept); err != nil {
		return nil, err
	}
	for _, r := range out {
		leaveOut(r.codec, errors.New(guard.Shorten(r.why.Error(), guard.MaxReason)))
	}
	return kept, nil
}

// splitTracks splits a session description before each line that begins a track.
func splitTracks(sdp []byte) (head []byte, tracks [][]byte) {
	for line := range bytes.Lines(sdp) {
		switch {
		case bytes.HasPrefix(line, []byte("m=")):
			tracks = append(tracks, bytes.Clone(line))
		case len(tracks) > 0:
			last := &tracks[len(tracks)-1]
			*last = append(*last, line...)
		default:
			head = append(head, line...)
		}
	}
	return head, tracks
}

// describedCodec returns what a track of a session description calls its first codec, or else the line that begins the track.
func describedCodec(track []byte) string {
	first, _, _ := strings.Cut(string(track), "\n")
	for line := range strings.Lines(string(track)) {
		if codec, ok := strings.CutPrefix(line, "a=rtpmap:"); ok {
			_, codec, _ = strings.Cut(codec, " ")
			first, _, _ = strings.Cut(codec, "/")
			break
		}
	}
	return guard.Shorten(strings.TrimSpace(first), maxCodecName)
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
