package events

import (
	"slices"
	"strings"
	"unicode/utf8"

	"nvrfs/recorder/onvif"
)

// The kinds of marks.
const (
	motion  = "motion"
	person  = "person"
	vehicle = "vehicle"
	animal  = "animal"
	face    = "face"
	line    = "line"   // somebody or something crossed one
	area    = "area"   // or is in one
	tamper  = "tamper" // the camera was covered or turned
	input   = "input"  // of the camera, such as a door contact
	sound   = "sound"
	other   = "other"
)

// kindWords are parts of topics, and of names of states, that tell the kind. The first that is found counts: those that say more come
// before "motion", which stands in many topics.
var kindWords = []struct{ word, kind string }{
	{"face", face},
	{"people", person},
	{"person", person},
	{"human", person},
	{"pedestrian", person},
	{"visitor", person},
	{"vehicle", vehicle},
	{"licenseplate", vehicle},
	{"dogcat", animal},
	{"animal", animal},
	{"ispet", animal},
	{"tamper", tamper},
	{"globalscenechange", tamper},
	{"linedetect", line},
	{"linecross", line},
	{"crossed", line},
	{"tripwire", line},
	{"fielddetect", area},
	{"objectsinside", area},
	{"intrusion", area},
	{"loitering", area},
	{"audio", sound},
	{"sound", sound},
	{"digitalinput", input},
	{"virtualinput", input},
	{"device/io/", input},
	{"motion", motion},
	{"vmd", motion},
}

// sceneRoots are how topics begin that are about what the camera sees, hears or is wired to.
var sceneRoots = []string{
	"ruleengine/", "videoanalytics/", "videosource/", "audioanalytics/", "audiosource/", "useralarm/", "device/trigger/", "device/io/",
	"cameraapplicationplatform/",
}

// kindOf returns the kind of an event, or "" for one about the camera's own affairs, such as its configuration or its load. state is the
// name of its state.
func kindOf(topic, state string) string {
	low := strings.ToLower(topic)
	scene := slices.ContainsFunc(sceneRoots, func(root string) bool { return strings.HasPrefix(low, root) })
	if !scene || strings.Contains(low, "count") {
		return ""
	}
	low += " " + strings.ToLower(state)
	for _, k := range kindWords {
		if strings.Contains(low, k.word) {
			return k.kind
		}
	}
	return other
}

// plainTopic returns a topic without the prefixes of namespaces: "RuleEngine/CellMotionDetector/Motion".
func plainTopic(topic string) string {
	parts := strings.Split(strings.Trim(topic, "/."), "/")
	for i, p := range parts {
		parts[i] = p[strings.LastIndexByte(p, ':')+1:]
	}
	return strings.Join(parts, "/")
}

// stateOf returns the state that an event tells; ok is false for one that tells none, because it is about a moment.
func stateOf(e onvif.Event) (name string, on, ok bool) {
	for _, i := range e.Data {
		switch low := strings.ToLower(i.Value); {
		case low == "true", low == "false":
			return i.Name, low == "true", true
		case !isState(i.Name): // else "1" may count objects
		case low == "1", low == "active", low == "on":
			return i.Name, true, true
		case low == "0", low == "inactive", low == "off":
			return i.Name, false, true
		}
	}
	return "", false, false
}

func isState(name string) bool {
	low := strings.ToLower(name)
	return strings.HasPrefix(low, "is") || slices.Contains([]string{"state", "logicalstate", "active", "triggered"}, low)
}

// mostText is how many bytes the text of a mark has.
const mostText = 100

// textOf says what an event is about, in the words of the camera: its topic, and where that is.
func textOf(topic string, e onvif.Event) string {
	text, before := topic, ": "
	for i, x := range e.Source {
		again := slices.ContainsFunc(e.Source[:i], func(y onvif.Item) bool { return y.Value == x.Value })
		if x.Value != "" && !again {
			text += before + x.Value
			before = " "
		}
	}
	return cut(text, mostText)
}

// cut cuts a text to a number of bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "…"
	n := most - len(more)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + more
}
