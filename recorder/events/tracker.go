package events

import (
	"log/slog"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/onvif"
	"nvrfs/schema"
)

const (
	mostAnHour = 3600 // marks of a camera
	mostKeys   = 256  // different things that a camera tells of, which are remembered at once
	mostStates = 64   // which keep one mark open
	hour90k    = 3600 * 90000
	// again90k is how soon after an event without a state another one of the same thing belongs to the same mark.
	again90k = 2 * 90000
	// How far the time of an event by the camera's clock may be from when it came, to be believed.
	mostLate  = 5 * time.Second
	mostEarly = time.Second
	// tellRounding corrects that a camera tells its clock in whole seconds, cut off.
	tellRounding = 500 * time.Millisecond
)

// A tracker turns the events of a camera into marks. Only one goroutine may use it.
type tracker struct {
	camera string
	keeper *keeper
	log    *slog.Logger

	marks    map[string]*tracked // the newest mark of each thing
	heard90k int64               // when the camera was heard of last

	hourStart90k int64
	begun        int  // marks since then
	told         bool // that there were too many
}

// tracked is a mark that goes on, with the states that keep it open.
type tracked struct {
	*kept
	on map[string]bool // states that are on; nil where the mark has ended
}

func newTracker(camera string, k *keeper, log *slog.Logger) *tracker {
	return &tracker{camera: camera, keeper: k, log: log, marks: map[string]*tracked{}}
}

// timeOf returns when an event happened that came at a time from a camera whose clock is ahead by so much, where that is known.
func timeOf(e onvif.Event, came time.Time, ahead time.Duration, hasClock bool) time.Time {
	if e.At.IsZero() || !hasClock {
		return came
	}
	at := e.At.Add(-ahead - tellRounding)
	if at.Before(came.Add(-mostLate)) || at.After(came.Add(mostEarly)) {
		return came
	}
	if at.After(came) {
		return came
	}
	return at
}

// event takes an event that happened at a time. Cameras tell a state again and again, and tell it anew to a new subscription.
func (t *tracker) event(e onvif.Event, at time.Time) {
	topic := plainTopic(e.Topic)
	state, on, hasState := stateOf(e)
	kind := kindOf(topic, state)
	if kind == "" || !hasState && e.Operation != "Changed" && e.Operation != "" {
		return
	}
	key := topic
	for _, i := range e.Source {
		key += "\x00" + i.Name + "\x00" + i.Value
	}
	key += "\x00" + state
	of := key
	if kind == motion {
		of = motion // many cameras tell of one motion by two topics
	}
	at90k := media.FromTime(at)
	m := t.marks[of]
	switch {
	case !hasState && m != nil && m.on == nil && at90k-m.End90k < again90k:
		t.keeper.change(m.kept, func(x *schema.Mark) { x.End90k = max(x.End90k, at90k) })
	case !hasState:
		if m = t.begin(of, kind, textOf(topic, e), at90k); m != nil {
			t.end(m, at90k)
		}
	case on && e.Operation != "Deleted":
		if m == nil || m.on == nil {
			m = t.begin(of, kind, textOf(topic, e), at90k)
		}
		if m != nil && len(m.on) < mostStates {
			m.on[key] = true
		}
	case m != nil && m.on[key]:
		if delete(m.on, key); len(m.on) == 0 {
			t.end(m, at90k)
		}
	}
}

// begin begins a mark of a thing, which goes on, or returns nil. When a camera tells of too much, the newest mark of the thing goes on in
// place of another one.
func (t *tracker) begin(of, kind, text string, at90k int64) *tracked {
	m := t.marks[of]
	if t.tooMany(at90k) {
		if m != nil {
			m.on = map[string]bool{}
			t.keeper.change(m.kept, func(x *schema.Mark) { x.GoesOn = true })
		}
		return m
	}
	if m == nil && !t.room() {
		return nil
	}
	t.begun++
	m = &tracked{kept: &kept{}, on: map[string]bool{}}
	t.keeper.change(m.kept, func(x *schema.Mark) {
		*x = schema.Mark{Camera: t.camera, Start90k: at90k, End90k: at90k, GoesOn: true, Kind: kind, Text: text}
	})
	t.marks[of] = m
	return m
}

// end ends a mark.
func (t *tracker) end(m *tracked, at90k int64) {
	m.on = nil
	t.keeper.change(m.kept, func(x *schema.Mark) { x.GoesOn, x.End90k = false, max(x.End90k, at90k) })
}

// tooMany reports whether no more marks may begin in this hour.
func (t *tracker) tooMany(at90k int64) bool {
	if d := at90k - t.hourStart90k; d >= hour90k || d < 0 {
		t.hourStart90k, t.begun, t.told = at90k, 0, false
	}
	if t.begun < mostAnHour {
		return false
	}
	if !t.told {
		t.told = true
		t.log.Warn("the camera tells of more than 3600 events an hour; for the rest of the hour, they are joined",
			"do", "make its detection less sensitive")
	}
	return true
}

// room makes room for another thing, and reports whether there is any.
func (t *tracker) room() bool {
	if len(t.marks) < mostKeys {
		return true
	}
	for of, m := range t.marks {
		if m.on == nil {
			delete(t.marks, of)
			return true
		}
	}
	return false
}

// hear notes that the camera was heard of.
func (t *tracker) hear(at time.Time) { t.heard90k = media.FromTime(at) }

// silent ends all marks when the camera was last heard of, because nobody tells when they end.
func (t *tracker) silent() {
	for _, m := range t.marks {
		if m.on != nil {
			t.end(m, t.heard90k)
		}
	}
}
