package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const editable = `# the yard
data: /d   # here
retain: { min_free: 5% }

cameras:
  # by the road
  front-door:
    url: 'rtsp://u:${PASSWORD}@h/1'  # "main"
    retain:
      days: 30 # a month
      bytes: 500GB

  # last
  barn:
    url: rtsp://h/2
    retain: { days: 7, bytes: 1TB }   # less
# end
`

func TestApply(t *testing.T) {
	tests := []struct {
		name     string
		edit     Edit
		old, new string // what differs in the text
	}{
		{"scalar", Set("data", "/e"), "/d   # here", "/e   # here"},
		{"scalar in a block", Set("cameras.front-door.retain.days", "31"), "days: 30 #", "days: 31 #"},
		{"scalar in brackets", Set("cameras.barn.retain.days", "8.5"), "days: 7,", "days: 8.5,"},
		{"last scalar in brackets", Set("retain.min_free", "20GB"), "5%", "20GB"},
		{"quoted", Set("cameras.front-door.url", "rtsp://h/9"), "'rtsp://u:${PASSWORD}@h/1'", "rtsp://h/9"},
		{"brackets for a block", Set("cameras.front-door.retain", "{ days: 1 }"), "retain:\n      days: 30 # a month\n      bytes: 500GB\n", "retain: { days: 1 }\n"},
		{"brackets for brackets", Set("cameras.barn.retain", "{ days: 1 }"), "{ days: 7, bytes: 1TB }", "{ days: 1 }"},
		{"added to a block", Set("cameras.barn.transport", "udp"), "   # less\n", "   # less\n    transport: udp\n"},
		{"added to brackets", Set("retain.bytes", "8TB"), "5% }", "5%, bytes: 8TB }"},
		{"added to the file", Set("timezone", "UTC"), "# end\n", "timezone: UTC\n# end\n"},
		{"camera", Set("cameras.gate", "{ url: 'rtsp://h/3' }"), "# end\n", "  gate: { url: 'rtsp://h/3' }\n# end\n"},
		{"camera that is new", Add("cameras.gate", "{ url: 'rtsp://h/3', serial: '0012' }"), "# end\n", "  gate: { url: 'rtsp://h/3', serial: '0012' }\n# end\n"},
		{"new mapping", Set("recording.sync", "1s"), "# end\n", "recording: { sync: 1s }\n# end\n"},
		{"two new mappings", Set("cameras.barn.streams.wide", "rtsp://h/4"), "   # less\n", "   # less\n    streams: { wide: rtsp://h/4 }\n"},
		{"quoted where it must be", Set("cameras.barn.streams", "{ a: { url: 'rtsp://u:${PASSWORD}@h/4' } }"), "   # less\n", "   # less\n    streams: { a: { url: 'rtsp://u:${PASSWORD}@h/4' } }\n"},
		{"quoted by itself", Set("cameras.barn.streams.a", "rtsp://h/a,b"), "   # less\n", "   # less\n    streams: { a: 'rtsp://h/a,b' }\n"},
		{"unset in a block", Unset("cameras.front-door.retain.days"), "      days: 30 # a month\n", ""},
		{"unset first in brackets", Unset("cameras.barn.retain.days"), "days: 7, ", ""},
		{"unset last in brackets", Unset("cameras.barn.retain.bytes"), ", bytes: 1TB", ""},
		{"unset a mapping", Unset("cameras.front-door.retain"), "    retain:\n      days: 30 # a month\n      bytes: 500GB\n", ""},
		{"unset what leaves a mapping empty", Unset("retain.min_free"), "retain: { min_free: 5% }\n", ""},
		{"unset a camera", Unset("cameras.barn"), "  barn:\n    url: rtsp://h/2\n    retain: { days: 7, bytes: 1TB }   # less\n", ""},
	}
	for _, newline := range []string{"\n", "\r\n"} {
		for _, tt := range tests {
			t.Run(tt.name+" "+map[string]string{"\n": "LF", "\r\n": "CRLF"}[newline], func(t *testing.T) {
				lines := func(s string) string { return strings.ReplaceAll(s, "\n", newline) }
				if strings.Count(editable, tt.old) != 1 {
					t.Fatalf("%q is not once in the text", tt.old)
				}
				want := lines(strings.Replace(editable, tt.old, tt.new, 1))
				got, err := Apply("/nvrfs.yaml", []byte(lines(editable)), testVariables, tt.edit)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// The first camera of a file stands as those that are added after it.
func TestApplyFirstCamera(t *testing.T) {
	text := []byte("data: /d\nmount: /m")
	for _, name := range []string{"a", "b"} {
		var err error
		if text, err = Apply("/nvrfs.yaml", text, nil, Add("cameras."+name, "{ url: 'rtsp://h/' }")); err != nil {
			t.Fatal(err)
		}
	}
	if want := "data: /d\nmount: /m\ncameras:\n  a: { url: 'rtsp://h/' }\n  b: { url: 'rtsp://h/' }\n"; string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		edit       Edit
		want       string // after "/nvrfs.yaml"
	}{
		{"no such value", editable, Unset("cameras.gate"), ": unset cameras.gate: there is no such value; see that each name is as in the file"},
		{"no path", editable, Set("", "1"), ": set : want names with dots between them, such as cameras.front-door.retain.days"},
		{"a path with an URL", editable, Set("rtsp://u:hunter2@h/", "1"), ": set rtsp://u:xxxxx@h/: want names with dots between them, such as cameras.front-door.retain.days"},
		{"two lines", editable, Set("data", "/e\nmount: /m"), ": set data: the value is not YAML of one line; want one such as 30, 500GB, text or { days: 30 }"},
		{"no value", editable, Set("data", " "), ": set data: the value is not YAML of one line; want one such as 30, 500GB, text or { days: 30 }"},
		{"only a comment", editable, Set("data", "# x"), ": set data: the value is not YAML of one line; want one such as 30, 500GB, text or { days: 30 }"},
		{"a wrong value", editable, Set("cache", "much"), `:17:8: after the change: cache: "much"; want a size of 4MB or more, such as 128MB`},
		{"an unknown name", editable, Set("cameras.barn.retian.days", "1"), `:17:5: after the change: cameras.barn.retian: unknown key; did you mean "retain"?`},
		{"the last camera", "data: /d\ncameras:\n  a: { url: 'rtsp://h' }\n", Unset("cameras.a"), ":1:1: after the change: cameras: is missing; add one such as cameras: { front-door: { url: rtsp://192.0.2.10/stream1 } }"},
		{"not YAML", "data: [", Set("data", "/d"), ":1:7: set data: is not YAML: sequence end token ']' not found; see that names and values are indented alike and quoted where need be"},
		{"an alias", "data: &a /d\nmount: *a\n", Set("data", "/e"), ": set data: the file is written in a way that cannot be edited in place; edit it by hand"},
		{"text of two lines", "data: /d\n  e\ncameras: { a: { url: 'rtsp://h' } }\n", Set("data", "/f"), ": set data: the file is written in a way that cannot be edited in place; edit it by hand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Apply("/nvrfs.yaml", []byte(tt.text), testVariables, tt.edit)
			if err == nil || err.Error() != "/nvrfs.yaml"+tt.want {
				t.Errorf("\n got %v\nwant /nvrfs.yaml%s", err, tt.want)
			}
		})
	}
}

// The value of an edit may hold a password.
func TestEditHides(t *testing.T) {
	e := Set("cameras.a.url", "rtsp://u:hunter2@h/s")
	if got := fmt.Sprintf("%v %+v %#v %s", e, e, e, []Edit{e}); strings.Contains(got, "hunter2") {
		t.Errorf("the password is in %s", got)
	}
	for _, value := range []string{"rtsp:// u: hunter2@h/s", "[rtsp://u:hunter2@h/s]", "http://u:hunter2@h/s", "'rtsp://u:hunter2@h/s"} {
		_, err := Apply("/nvrfs.yaml", []byte(editable), testVariables, Set("cameras.barn.url", value))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// A name that says nothing yet takes what is set below it.
func TestApplyManyEdits(t *testing.T) {
	got, err := Apply("/nvrfs.yaml", []byte("data: /d\ncameras: # none yet\n"), nil,
		Set("cameras.a.url", "rtsp://h/1"), Set("cameras.b", "{ url: 'rtsp://h/2' }"), Set("cameras.a.transport", "udp"), Unset("cameras.b"))
	if err != nil {
		t.Fatal(err)
	}
	want := "data: /d\ncameras: { a: { url: rtsp://h/1, transport: udp } } # none yet\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzApply checks that an edit changes no stream but that at its path, and no line but that of its value.
func FuzzApply(f *testing.F) {
	f.Add(editable, "cameras.barn.retain.days", "3", false)
	f.Add(editable, "cameras.barn", "", true)
	f.Add("{data: /d, cameras: {a: {url: 'rtsp://h' }}}", "mount", "/m", false)
	f.Add("data: |\n  /d # x\ncameras: {a: {url: \"rtsp://h\" },\n}", "data", "/e", false)
	f.Fuzz(func(t *testing.T, text, path, value string, unset bool) {
		e := Set(path, value)
		if unset {
			e = Unset(path)
		}
		after, err := Apply("/nvrfs.yaml", []byte(text), testVariables, e)
		if err != nil {
			return
		}
		before, err := Parse("/nvrfs.yaml", []byte(text), testVariables)
		if err != nil {
			return // the edit put it right
		}
		c, err := Parse("/nvrfs.yaml", after, testVariables)
		if err != nil {
			t.Fatalf("%v left what is wrong: %v\n%s", e, err, after)
		}
		for _, s := range Diff(before, c).Streams {
			if !strings.HasPrefix(path+".", "cameras."+s.Camera+".") && path != "cameras" {
				t.Errorf("%v changed %s.%s:\n%s", e, s.Camera, s.Name, after)
			}
		}
		if n := changedLines(text, string(after)); n > 1 && !unset && !holdsMapping(t, text, e.path) {
			t.Errorf("%v changed %d lines:\n%s", e, n, after)
		}
	})
}

// changedLines is how many lines of a are between those that b begins with and those that it ends with.
func changedLines(a, b string) int {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return len(x)
}

// holdsMapping reports whether the value at path is a mapping, which may have many lines.
func holdsMapping(t *testing.T, text string, path []string) bool {
	unix, _ := withoutCRLF([]byte(text))
	root, err := parseYAML("", unix)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := plainTree(root.node)
	for _, name := range path {
		i := slices.Index(at.names, name)
		if i < 0 {
			return false
		}
		at = at.values[i]
	}
	return at.mapping
}
