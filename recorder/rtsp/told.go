package rtsp

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"nvrfs/codec"
	"nvrfs/media"
	"nvrfs/recorder/guard"
)

// told has what the log said of a camera, so that not every session says it again.
type told struct {
	mu   sync.Mutex
	said map[string]string // by what it is about
}

// news reports whether text differs from what was said last about something. Nothing is said where it is empty.
func (t *told) news(about, text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said == nil {
		t.said = map[string]string{}
	}
	changed := t.said[about] != text
	t.said[about] = text
	return changed && text != ""
}

// leftOut are the tracks of a session description that are not recorded.
type leftOut struct {
	data []string // which were never to be
	lost []lostTrack
}

// A lostTrack is one of pictures or sound that cannot be recorded.
type lostTrack struct {
	kind, codec string
	why         error
}

// tell says in the log what is left out beside what is recorded, unless it did before.
func (l *leftOut) tell(log *slog.Logger, t *told) {
	if text := guard.Shorten(strings.Join(l.data, ", "), guard.MaxReason); t.news("data", text) {
		log.Info("some tracks of the camera are left out, because they are neither its picture nor its sound", "reason", text)
	}
	all := ""
	for _, x := range l.lost {
		all += x.codec + ": " + x.why.Error() + "\n"
	}
	if !t.news("lost", all) {
		return
	}
	for _, x := range l.lost {
		log.Warn("a track of the camera is not recorded; its other tracks are", "codec", x.codec, "reason", x.why)
	}
}

// nothing is the error of a session whose camera describes no track that can be read.
func (l *leftOut) nothing() error {
	if err := l.video(); err != nil {
		return err
	}
	if len(l.lost) > 0 {
		return fmt.Errorf("the camera offers no picture, and %w", l.lost[0].why)
	}
	if len(l.data) == 0 {
		return errors.New("the camera describes no track")
	}
	return fmt.Errorf("there is no video to record: the camera offers only %s", guard.Shorten(strings.Join(l.data, ", "), guard.MaxReason))
}

// has reports whether a track of a kind is lost.
func (l *leftOut) has(kind string) bool {
	return slices.ContainsFunc(l.lost, func(x lostTrack) bool { return x.kind == kind })
}

// video returns why pictures are not recorded that the camera offers.
func (l *leftOut) video() error {
	for _, x := range l.lost {
		if x.kind == "video" && errors.As(x.why, new(wrongError)) {
			return x.why
		}
	}
	return nil
}

// noVideo is the error of a session whose camera offers codecs, of which none is a picture that can be recorded.
func (l *leftOut) noVideo(codecs []string) error {
	if err := l.video(); err != nil {
		return err
	}
	return fmt.Errorf("there is no video to record: the camera offers %s; set it to %s",
		strings.Join(codecs, ", "), codec.Recorded("or", media.Video))
}

// wronglyDescribed is the error of a track that the camera describes in a way that cannot be read.
func wronglyDescribed(kind string, err error) error {
	what := "sound"
	if kind == "video" {
		what = "picture"
	}
	return wrongError{fmt.Sprintf("the camera describes its %s wrongly: %s", what, guard.Shorten(err.Error(), guard.MaxReason))}
}

// wrongError is what wronglyDescribed returns.
type wrongError struct{ text string }

func (e wrongError) Error() string { return e.text }
