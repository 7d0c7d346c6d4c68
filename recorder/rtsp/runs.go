package rtsp

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/rtpclock"
)

const (
	// leastRunTime is the least time between two runs that begin because of a clock or of the sound, so that an erratic camera does
	// not cut its footage to pieces. Until then its times follow arrival.
	leastRunTime = time.Minute
	// mostDrift is by how many seconds sound may drift away from the picture where no sender reports tell, and leastShift by how
	// many it is put back where a run begins anyway. When packets come varies by less.
	mostDrift  = 0.4
	leastShift = 0.1
)

// runs is what a session knows of the runs that it makes.
type runs struct {
	due    string            // why another run is to begin at the next sync sample
	last   time.Time         // when one began last for such a reason
	rated  bool              // one began because a clock counts at another rate
	sound  bool              // the newest run has sound
	handed bool              // the Handler has the first run
	entry  media.SampleEntry // of that sound
}

// another returns why another run is to begin at a sync sample that came at now, and "" where none is.
func (s *session) another(now time.Time) (reason string) {
	by := s.tie.Drift(mostDrift, now)
	if s.runs.last.IsZero() || now.Sub(s.runs.last) >= leastRunTime {
		switch {
		case s.runs.due != "":
			reason = s.runs.due
		case by != 0:
			reason = fmt.Sprintf("the camera's sound was %.1f s away from its picture", math.Abs(by))
			s.say("the camera's sound and picture do not keep together; the sound is put back in its place when another run begins", "reason", reason)
		}
	}
	if reason == "" {
		if s.video == nil || s.audio == nil || !s.runs.sound {
			return ""
		}
		return s.tie.Again(now)
	}
	s.runs.due, s.runs.last = "", now
	if by := s.tie.Drift(leastShift, now); by != 0 {
		s.tie.Move(by)
	}
	for _, t := range s.tracks() {
		t.times.Settle()
	}
	return reason
}

// apart returns by how many seconds the sound comes later than the picture, for their times.
func (s *session) apart() (seconds float64, ok bool) {
	if s.video == nil || s.audio == nil {
		return 0, false
	}
	sound, heard := s.audio.times.Delay()
	picture, seen := s.video.times.Delay()
	return sound - picture, heard && seen
}

// begin calls Handler.Start.
func (s *session) begin() error {
	s.runs.handed = true
	return s.h.Start(s.entries())
}

// newRun has another run begin with the next sample of the first track, when its turn has come.
func (s *session) newRun(why string, now time.Time) error {
	return s.call(now, func() error {
		sound, before := s.runs.sound, s.runs.entry.Box
		tracks := s.entries()
		if sound == s.runs.sound && bytes.Equal(before, s.runs.entry.Box) {
			tracks = nil
		}
		return s.h.NewRun(tracks, why)
	})
}

// entries are the sample entries of the tracks of the next run: all whose entries are known.
func (s *session) entries() []media.SampleEntry {
	s.runs.sound = false
	var entries []media.SampleEntry
	for _, t := range s.tracks() {
		e := t.receiver.Entry()
		if t.sound {
			if e.Box == nil || e.Timescale != t.rate {
				continue
			}
			s.runs.sound, s.runs.entry = true, e
		}
		entries = append(entries, e)
	}
	return entries
}

// mended says in the log what is wrong with the clock of a track, and has another run begin.
func (s *session) mended(t *track, f rtpclock.Fault, now time.Time) {
	s.tie.Forget()
	reason := fmt.Sprintf("the clock of the camera's %s %s", t.name(), f)
	if f.Kind == rtpclock.Rated {
		reason += fmt.Sprintf(" instead of %d", t.hz)
	}
	if t == s.master() {
		s.runs.due = reason
		if f.Kind == rtpclock.Rated && !s.runs.rated {
			s.runs.rated, s.runs.last = true, time.Time{} // another run began because the clock fell behind, and its rate is known only now
		}
	}
	message := "the clock of the camera's " + t.name() + " is wrong; from there on its times follow when its packets come"
	do := "nothing is lost; if this comes often, update the camera's firmware"
	if f.Kind == rtpclock.Rated {
		message = "the clock of the camera's " + t.name() + " runs at another rate than it should; its times are scaled to when its packets come"
		do = "set the camera to a frame rate that it keeps up by night, too, or update its firmware"
		if t.sound {
			do = "update the camera's firmware, or choose another codec for its sound"
		}
	}
	s.say(message, "reason", reason, "do", do)
}
