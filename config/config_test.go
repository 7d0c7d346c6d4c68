package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// testVariables are the environment of the tests that read configuration.
func testVariables(name string) (string, bool) {
	value, ok := map[string]string{
		"PASSWORD": "s3cret/@:?#%& €",
		"EMPTY":    "",
	}[name]
	return value, ok
}

// loadText loads text as the configuration file nvrfs.yaml of a new directory, which is the working one.
func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("nvrfs.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read("nvrfs.yaml", testVariables)
}

func TestReadSmallest(t *testing.T) {
	c, err := loadText(t, "data: /var/lib/nvrfs\ncameras:\n  door:\n    url: rtsp://192.0.2.10/1\n")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Data:      "/var/lib/nvrfs",
		Timezone:  time.Local,
		Cache:     128_000_000,
		Recording: Recording{Length: time.Minute, Sync: 5 * time.Second},
		Retain:    Retain{MinFree: MinFree{Part: 0.05}, AtLeast: time.Hour},
		Cameras:   []Camera{{Name: "door", Streams: []Stream{{Name: "main", URL: literalURL(t, "rtsp://192.0.2.10/1"), Transport: "tcp", Retain: Limits{AtLeast: time.Hour}}}}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestReadLargest(t *testing.T) {
	c, err := loadText(t, `# all there is
data: footage          # beside this file
mount: { path: /mnt/nvr/, allow_other: true, uid: 1000, gid: 1001, umask: "0027" }
timezone: Europe/Berlin
cache: 64MiB
recording: { length: 30s, sync: 500ms }
cameras:
  front-door:
    url: rtsp://admin:${PASSWORD}@192.0.2.10:8554/stream1?x=1
    sub: "rtsps://192.0.2.10/stream2"
    transport: auto
  Back_2:
    url: rtsp://192.0.2.11/
    transport: udp
  1:
    url: rtsp://[2001:db8::1]/
`)
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(directory, "footage"); c.Data != want {
		t.Errorf("Data = %q, want %q", c.Data, want)
	}
	if c.Cache != 64<<20 {
		t.Errorf("Cache = %d, want 64 MiB", c.Cache)
	}
	if want := (Mount{Path: "/mnt/nvr", AllowOther: true, UID: 1000, GID: 1001, Umask: 0o027}); c.Mount != want {
		t.Errorf("Mount = %+v, want %+v", c.Mount, want)
	}
	if c.Timezone.String() != "Europe/Berlin" {
		t.Errorf("Timezone = %v", c.Timezone)
	}
	if want := (Recording{Length: 30 * time.Second, Sync: 500 * time.Millisecond}); c.Recording != want {
		t.Errorf("Recording = %+v, want %+v", c.Recording, want)
	}
	var cameras []string
	for _, camera := range c.Cameras {
		main, _ := camera.Stream("main")
		sub, _ := camera.Stream("sub")
		cameras = append(cameras, strings.Join([]string{camera.Name, main.URL.Reveal(), sub.URL.Reveal(), main.Transport}, " "))
	}
	want := []string{
		"front-door rtsp://admin:s3cret%2F%40%3A%3F%23%25&%20%E2%82%AC@192.0.2.10:8554/stream1?x=1 rtsps://192.0.2.10/stream2 auto",
		"Back_2 rtsp://192.0.2.11/  udp",
		"1 rtsp://[2001:db8::1]/  tcp",
	}
	if !reflect.DeepEqual(cameras, want) {
		t.Errorf("cameras\n got %q\nwant %q", cameras, want)
	}
}

func TestReadMountPathOnly(t *testing.T) {
	c, err := loadText(t, "data: /d\nmount: mnt\ncameras: { a: { url: rtsp://192.0.2.1 } }\n")
	if err != nil {
		t.Fatal(err)
	}
	directory, _ := os.Getwd()
	want := Mount{Path: filepath.Join(directory, "mnt"), UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Umask: 0o022}
	if c.Mount != want {
		t.Errorf("Mount = %+v, want %+v", c.Mount, want)
	}
}

func TestReadAtLeast(t *testing.T) {
	c, err := loadText(t, "data: /d\nretain: { at_least: 1.5d }\ncameras:\n"+
		"  a: { url: 'rtsp://h', retain: { days: 1 } }\n  b: { url: 'rtsp://h', retain: { at_least: 90m, days: 1 } }\n  c: { url: 'rtsp://h', retain: { at_least: 0 } }\n  d: { url: 'rtsp://h' }\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{36 * time.Hour, 90 * time.Minute, 0, 36 * time.Hour} { // what all keep never contradicts the days of one
		if got := c.Cameras[i].Streams[0].Retain.AtLeast; got != want {
			t.Errorf("camera %s keeps at least %v, want %v", c.Cameras[i].Name, got, want)
		}
	}
}

func TestReadUmask(t *testing.T) {
	for _, written := range []string{`"0027"`, "0027", "027", "27", "0o27"} {
		c, err := loadText(t, "data: /d\nmount: { path: /m, umask: "+written+" }\ncameras: { a: { url: rtsp://h } }\n")
		if err != nil {
			t.Errorf("umask %s: %v", written, err)
		} else if c.Mount.Umask != 0o027 {
			t.Errorf("umask %s = %04o, want 0027", written, c.Mount.Umask)
		}
	}
}

// Commands that only look at footage need no secrets.
func TestReadWithoutSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nvrfs.yaml")
	text := "data: /d\ncameras:\n  a: { url: 'rtsp://u:${NOWHERE}@h/', sub: 'rtsp://h/2' }\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Cameras[0]; !a.Streams[0].URL.IsZero() || a.Streams[1].URL.Reveal() != "rtsp://h/2" {
		t.Errorf("camera = %+v, want no url but a sub", a)
	}
}

func TestReadMistakes(t *testing.T) {
	const head = "data: /d\n"
	const camera = "cameras: { a: { url: rtsp://192.0.2.1/ } }\n"
	tests := []struct {
		name, text, want string // want without "nvrfs.yaml"
	}{
		{"empty file", "", ": is empty"},
		{"only comments", "# data: /d\n", ": is empty"},
		{"not a mapping", "- data\n", ":1:1: is a list; want a mapping of names to values"},
		{"two documents", head + camera + "---\n" + head, ":4:1: a second document; want one only, without a line of ---"},
		{"bad indentation", "data: /d\n  mount: /m\n", ":1:7: is not YAML: "},
		{"unclosed", "data: [/d\n", ":1:7: is not YAML: "},
		{"unclosed quote", "data: \"/d\n", ":1:7: is not YAML: "},
		{"tab", "mount:\n\tpath: /m\n", ":2:1: is not YAML: "},
		{"no data", camera, ":1:1: data: is missing; add one such as data: /var/lib/nvrfs"},
		{"no cameras", head, ":1:1: cameras: is missing; add one such as cameras: { front-door: { url: rtsp://192.0.2.10/stream1 } }"},
		{"cameras without value", head + "cameras:\n", ":2:1: cameras: has no value; want a mapping of names to values"},
		{"no camera", head + "cameras: {}\n", ":2:1: cameras: names no camera; want at least one, such as front-door: { url: rtsp://192.0.2.10/stream1 }"},
		{"misspelled key", head + "mont: /m\n" + camera, `:2:1: mont: unknown key; did you mean "mount"?`},
		{"wrong case", "Data: /d\n" + camera, `:1:1: Data: unknown key; did you mean "data"?`},
		{"unknown key", head + "mqtt: { broker: 127.0.0.1 }\n" + camera, ":2:1: mqtt: unknown key; want data, mount, timezone, http, cache, recording, retain or cameras"},
		{"http without address", head + "http: {}\n" + camera, ":2:1: http.listen: is missing; add one such as listen: 127.0.0.1:8090"},
		{"http without port", head + "http: { listen: localhost }\n" + camera, `:2:17: http.listen: "localhost" is no address to listen at; want host:port, such as 127.0.0.1:8090`},
		{
			"misspelled key of a camera", head + "cameras:\n  front-door:\n    url: rtsp://h\n    transprot: tcp\n",
			`:5:5: cameras.front-door.transprot: unknown key; did you mean "transport"?`,
		},
		{
			"unknown key of a camera", head + "cameras:\n  front-door: { url: 'rtsp://h', motion: { days: 3 } }\n",
			`:3:34: cameras.front-door.motion: unknown key; want url, sub, streams, transport, tls, samples, retain, serial, endpoint or onvif`,
		},
		{"days of nothing", head + "cameras:\n  a: { url: 'rtsp://h', retain: { days: 0 } }\n", `:3:41: cameras.a.retain.days: "0"; want a number of days from 0.01 to 36500, such as 30`},
		{"at least more than days", head + "cameras:\n  a: { url: 'rtsp://h', retain: { days: 1, at_least: 25h } }\n", `:3:54: cameras.a.retain.at_least: 25h is more than the 24h of days, after which footage is deleted; want less, or more days`},
		{"at least without unit", head + "retain: { at_least: 7 }\n" + camera, `:2:21: retain.at_least: "7"; want a stretch of time up to 3650d, such as 90m, 24h or 7d, or 0 for none`},
		{"at least for ever", head + "retain: { at_least: 4000d }\n" + camera, `:2:21: retain.at_least: "4000d"; want a stretch of time up to 3650d, such as 90m, 24h or 7d, or 0 for none`},
		{"size without unit", head + "cameras:\n  a: { url: 'rtsp://h', retain: { bytes: 500 } }\n", `:3:42: cameras.a.retain.bytes: "500" is no size; want a number and a unit, such as 500GB or 1.5TiB`},
		{"a tiny cache", head + "cache: 1kB\n" + camera, `:2:8: cache: "1kB"; want a size of 4MB or more, such as 128MB`},
		{"a cache of no size", head + "cache: much\n" + camera, `:2:8: cache: "much"; want a size of 4MB or more, such as 128MB`},
		{"all of the disk", head + "retain: { min_free: 100% }\n" + camera, `:2:21: retain.min_free: "100%"; want a part of the disk such as 5%, or a size such as 20GB`},
		{"given twice", head + camera + head, ":3:1: data: given twice; it is on line 1 already"},
		{"camera twice", head + "cameras:\n  a: { url: rtsp://h }\n  a: { url: rtsp://h }\n", ":4:3: cameras.a: given twice; it is on line 3 already"},
		{
			"cameras alike", head + "cameras:\n  a: { url: rtsp://h }\n  A: { url: rtsp://h }\n",
			`:4:3: cameras.A: the same as "a" but for capitals, which some systems do not tell apart; want another name`,
		},
		{"data is a number", "data: 7\n" + camera, ":1:7: data: is a number; want text such as /var/lib/nvrfs"},
		{"data has no value", "data:\n" + camera, ":1:1: data: has no value; want text such as /var/lib/nvrfs"},
		{"data is empty", "data: ''\n" + camera, ":1:7: data: is empty; want text such as /var/lib/nvrfs"},
		{"data in a home", "data: ~/nvr\n" + camera, ":1:7: data: ~ has no meaning here; want the path in full, such as /var/lib/nvrfs"},
		{"data of two lines", "data: \"/d\\n/e\"\n" + camera, ":1:7: data: holds a line break, tab or other control character; want text such as /var/lib/nvrfs"},
		{"alias", "data: &d /d\nmount: *d\n" + camera, ":1:7: data: is an anchor or alias, which is not understood here; want text such as /var/lib/nvrfs"},
		{"tag", "data: !!str /d\n" + camera, ":1:7: data: has a tag, which is not understood here; want text such as /var/lib/nvrfs"},
		{"merge key", head + "cameras:\n  a: { <<: { x: 1 }, url: rtsp://h }\n", ":3:8: cameras.a: want a plain name before the colon"},
		{"mount without path", head + "mount: { uid: 1 }\n" + camera, ":2:1: mount.path: is missing; add one such as path: /mnt/nvr"},
		{"mount key", head + "mount: { path: /m, allowother: true }\n" + camera, `:2:20: mount.allowother: unknown key; did you mean "allow_other"?`},
		{"mount is a list", head + "mount: [/m]\n" + camera, ":2:1: mount: is a list; want text such as /mnt/nvr"},
		{"allow_other", head + "mount: { path: /m, allow_other: yes }\n" + camera, ":2:33: mount.allow_other: is text; want true or false"},
		{"uid is a name", head + "mount: { path: /m, uid: joe }\n" + camera, `:2:25: mount.uid: "joe" is no user or group number; want a number from 0 to 4294967294`},
		{"gid too large", head + "mount: { path: /m, gid: 4294967295 }\n" + camera, `:2:25: mount.gid: "4294967295" is no user or group number; want a number from 0 to 4294967294`},
		{"gid negative", head + "mount: { path: /m, gid: -1 }\n" + camera, `:2:25: mount.gid: "-1" is no user or group number; want a number from 0 to 4294967294`},
		{"umask", head + "mount: { path: /m, umask: 0088 }\n" + camera, `:2:27: mount.umask: "0088"; want up to four octal digits such as "0027"`},
		{"umask too large", head + "mount: { path: /m, umask: '1777' }\n" + camera, `:2:27: mount.umask: "1777"; want up to four octal digits such as "0027"`},
		{"time zone", head + "timezone: Berlin\n" + camera, `:2:11: timezone: unknown time zone "Berlin"; want a name of the IANA database such as Europe/Berlin or UTC`},
		{"time zone Local", head + "timezone: Local\n" + camera, `:2:11: timezone: unknown time zone "Local"; want a name of the IANA database such as Europe/Berlin or UTC`},
		{"length without unit", head + "recording: { length: 60 }\n" + camera, `:2:22: recording.length: "60"; want 1s to 10m, with its unit: ms, s, m or h`},
		{"length too short", head + "recording: { length: 999ms }\n" + camera, `:2:22: recording.length: "999ms"; want 1s to 10m, with its unit: ms, s, m or h`},
		{"length too long", head + "recording:\n  length: 11m\n" + camera, `:3:11: recording.length: "11m"; want 1s to 10m, with its unit: ms, s, m or h`},
		{"length is a fraction", head + "recording: { length: 1.5 }\n" + camera, `:2:22: recording.length: is a number; want 1s to 10m, with its unit: ms, s, m or h`},
		{"sync", head + "recording: { sync: 0s }\n" + camera, `:2:20: recording.sync: "0s"; want 100ms to 1m, with its unit: ms, s, m or h`},
		{"camera without value", head + "cameras:\n  a:\n", ":3:3: cameras.a: has no value; want a mapping of names to values"},
		{"camera is a URL", head + "cameras:\n  a: rtsp://u:secret@h/\n", ":3:6: cameras.a: is text; want a mapping of names to values"},
		{
			"camera without URL", head + "cameras:\n  a:\n    transport: tcp\n",
			":3:3: cameras.a.url: is missing; add one such as url: rtsp://user:${FRONT_DOOR_PASSWORD}@192.0.2.10/stream1",
		},
		{"transport", head + "cameras:\n  a: { url: rtsp://h, transport: TCP }\n", `:3:34: cameras.a.transport: "TCP"; want tcp, udp, auto, multicast or http`},
		{"name with a dot", head + "cameras: { a.sub: { url: rtsp://h } }\n", `:2:12: cameras.a.sub: a camera's name cannot hold '.'; want letters, digits, - and _, at most 64, starting with a letter or digit`},
		{"name of a device", head + "cameras: { Com1: { url: rtsp://h } }\n", `:2:12: cameras.Com1: this name is a device to Windows, so shares would not show it; want another name`},
		{
			"missing variable", head + "cameras:\n  a:\n    url: rtsp://u:${NOWHERE}@h/\n",
			":4:10: cameras.a.url: environment variable NOWHERE is not set; set it, or use ${file:/path}",
		},
		{"empty variable", head + "cameras:\n  a:\n    sub: rtsp://u:${EMPTY}@h/\n    url: rtsp://h\n", ":4:10: cameras.a.sub: environment variable EMPTY is empty; set it to the value"},
		{
			"missing file", head + "cameras:\n  a:\n    url: rtsp://u:${file:/no/where}@h/\n",
			":4:10: cameras.a.url: secret file /no/where: no such file or directory; want a file that holds only the value",
		},
		{"scheme", head + "cameras:\n  a:\n    url: http://u:secret@h/\n", ":4:10: cameras.a.url: not an RTSP URL; want one such as rtsp://192.0.2.10/stream1"},
		{
			"URL for a name", head + "cameras:\n  ? rtsp://u:secret@h/\n  : { url: rtsp://h }\n",
			":3:3: cameras: want a plain name before the colon",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadText(t, tt.text)
			var mistake *Error
			if !errors.As(err, &mistake) {
				t.Fatalf("got %v, want an Error", err)
			}
			got := err.Error()
			if want := "nvrfs.yaml" + tt.want; got != want && !(strings.HasSuffix(want, ": ") && strings.HasPrefix(got, want)) {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if strings.Contains(got, "\n") || strings.Contains(got, "secret@") {
				t.Errorf("more than one line, or a secret: %s", got)
			}
		})
	}
}

func TestReadUnreadable(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Read("nvrfs.yaml", testVariables)
	want := "nvrfs.yaml: no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("missing file:\n got %v\nwant %s", err, want)
	}
	_, err = Read(".", testVariables)
	want = ".: is a directory"
	if err == nil || err.Error() != want {
		t.Errorf("directory:\n got %v\nwant %s", err, want)
	}
}

func TestReadSecretFile(t *testing.T) {
	directory := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("password", "p@ss word\r\n")
	write("empty", "\n")
	write("long", strings.Repeat("x", 4097))
	tests := []struct{ url, want string }{
		{"rtsp://u:${file:password}@h/1", "rtsp://u:p%40ss%20word@h/1"},
		{"rtsp://u:${file:" + directory + "/password}@h/1", "rtsp://u:p%40ss%20word@h/1"},
		{"rtsp://u:${file:empty}@h/1", "secret file " + directory + "/empty: is empty; want a file that holds only the value"},
		{"rtsp://u:${file:long}@h/1", "secret file " + directory + "/long: is longer than 4096 bytes; want a file that holds only the value"},
		{"rtsp://u:${file:/dev/null}@h/1", "secret file /dev/null: is not a regular file; want a file that holds only the value"},
	}
	for _, tt := range tests {
		write("nvrfs.yaml", "data: /d\ncameras:\n  a:\n    url: "+tt.url+"\n")
		c, err := Read(filepath.Join(directory, "nvrfs.yaml"), testVariables)
		if err != nil {
			if want := directory + "/nvrfs.yaml:4:10: cameras.a.url: " + tt.want; err.Error() != want {
				t.Errorf("%s:\n got %v\nwant %s", tt.url, err, want)
			}
		} else if got := c.Cameras[0].Streams[0].URL.Reveal(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.url, got, tt.want)
		}
	}
}

func TestCheckCameraName(t *testing.T) {
	const form = "not a camera's name; want letters, digits, - and _, at most 64, starting with a letter or digit"
	tests := []struct{ name, want string }{
		{"front-door", ""},
		{"Front_Door2", ""},
		{"0", ""},
		{strings.Repeat("a", 64), ""},
		{"console", ""},
		{"com10", ""},
		{"", form},
		{strings.Repeat("a", 65), form},
		{".hidden", form},
		{"-option", form},
		{"_a", form},
		{"a/b", `a camera's name cannot hold '/'; want letters, digits, - and _, at most 64, starting with a letter or digit`},
		{"a b", `a camera's name cannot hold ' '; want letters, digits, - and _, at most 64, starting with a letter or digit`},
		{"gräfin", `a camera's name cannot hold 'ä'; want letters, digits, - and _, at most 64, starting with a letter or digit`},
	}
	for _, device := range []string{"con", "PRN", "Aux", "nul", "COM0", "com9", "lpt1"} {
		tests = append(tests, struct{ name, want string }{
			device, "this name is a device to Windows, so shares would not show it; want another name",
		})
	}
	for _, tt := range tests {
		got := ""
		if err := CheckName(tt.name); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestClosest(t *testing.T) {
	known := []string{"data", "mount", "timezone", "recording", "cameras", "ts"}
	tests := []struct{ word, want string }{
		{"dta", "data"},
		{"DATA", "data"},
		{"mnt", "mount"},
		{"montu", "mount"},
		{"timezones", "timezone"},
		{"time_zone", "timezone"},
		{"camera", "cameras"},
		{"http", ""},
		{"", ""},
		{"x", ""},
		{"tss", "ts"},
	}
	for _, tt := range tests {
		if got := Closest(tt.word, known); got != tt.want {
			t.Errorf("Closest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

// What would take the parser minutes is refused before it is parsed.
func TestParseBounds(t *testing.T) {
	const nested, many = "nests more than 32 deep", "holds more than 30000 names, values and signs"
	tests := []struct{ name, text, want string }{
		{"long", "# " + strings.Repeat("x", maxFile), "is longer than 1048576 bytes"},
		{"brackets", "a: " + strings.Repeat("[", 29_000), nested},
		{"braces", strings.Repeat("{a: ", 9_000), nested},
		{"dashes", strings.Repeat("- ", 29_000), nested},
		{"keys", strings.Repeat("? ", 29_000), nested},
		{"entries", strings.Repeat("a: b\n", 10_001), many},
		{"aliases", "a: &a [x]\n" + strings.Repeat("b: [*a,*a,*a,*a]\n", 3_000), many},
		{"tags", "a: " + strings.Repeat("!!x ", 30_000), many},
		{"indented", indented(1_000), "nvrfs.yaml:1:1: a: unknown key"},
		{"as deep as may be", "a: " + strings.Repeat("[", 32) + strings.Repeat("]", 32), "nvrfs.yaml:1:1: a: unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("nvrfs.yaml", []byte(tt.text), testVariables)
			var mistake *Error
			if !errors.As(err, &mistake) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an Error with %q", err, tt.want)
			}
		})
	}
}

// indented is a file of so many mappings, each below the one before.
func indented(depth int) string {
	var text strings.Builder
	for i := range depth {
		text.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return text.String()
}

func TestStreams(t *testing.T) {
	c, err := loadText(t, `data: /d
cameras:
  yard:
    url: rtsp://h/1
    sub: rtsp://h/2
    transport: udp
    retain: { days: 2 }
    streams:
      wide: rtsp://h/3
      thermal: { url: rtsp://h/4, transport: tcp, samples: /mnt/b, retain: { bytes: 5GB } }
  pair:
    streams: { left: rtsp://h/5, main: rtsp://h/6 }
`)
	if err != nil {
		t.Fatal(err)
	}
	two := Limits{Age: 48 * time.Hour, AtLeast: time.Hour} // where nobody says what is kept at least
	want := []Camera{
		{Name: "yard", Streams: []Stream{
			{Name: "main", URL: literalURL(t, "rtsp://h/1"), Transport: "udp", Retain: two},
			{Name: "sub", URL: literalURL(t, "rtsp://h/2"), Transport: "udp", Retain: two},
			{Name: "wide", URL: literalURL(t, "rtsp://h/3"), Transport: "udp", Retain: two},
			{Name: "thermal", URL: literalURL(t, "rtsp://h/4"), Transport: "tcp", Samples: "/mnt/b", Retain: Limits{Bytes: 5_000_000_000, AtLeast: time.Hour}},
		}},
		{Name: "pair", Streams: []Stream{
			{Name: "left", URL: literalURL(t, "rtsp://h/5"), Transport: "tcp", Retain: Limits{AtLeast: time.Hour}},
			{Name: "main", URL: literalURL(t, "rtsp://h/6"), Transport: "tcp", Retain: Limits{AtLeast: time.Hour}},
		}},
	}
	if !reflect.DeepEqual(c.Cameras, want) {
		t.Errorf("got  %+v\nwant %+v", c.Cameras, want)
	}
}

func TestStreamMistakes(t *testing.T) {
	const head = "data: /d\ncameras:\n  a:\n"
	tests := []struct{ text, want string }{
		{"    streams:\n", ":4:5: cameras.a.streams: has no value; want a mapping of names to values"},
		{"    streams: {}\n", ":4:5: cameras.a.streams: names no stream; want at least one, such as main: rtsp://192.0.2.10/stream1"},
		{"    streams: { a.b: rtsp://h }\n", ":4:16: cameras.a.streams.a.b: a stream's name cannot hold '.'; want letters, digits, - and _, at most 64, starting with a letter or digit"},
		{"    streams: { nul: rtsp://h }\n", ":4:16: cameras.a.streams.nul: this name is a device to Windows, so shares would not show it; want another name"},
		{"    streams: { b: rtsp://h, B: rtsp://h }\n", `:4:29: cameras.a.streams.B: the same as "b" but for capitals, which some systems do not tell apart; want another name`},
		{"    url: rtsp://h\n    streams: { Main: rtsp://h }\n", `:5:16: cameras.a.streams.Main: the camera's url is the stream "main" already; leave one of them out`},
		{"    sub: rtsp://h\n    streams: { sub: rtsp://h }\n", `:5:16: cameras.a.streams.sub: the camera's sub is the stream "sub" already; leave one of them out`},
		{"    streams: { b: { transport: udp } }\n", ":4:16: cameras.a.streams.b.url: is missing; add one such as url: rtsp://user:${FRONT_DOOR_PASSWORD}@192.0.2.10/stream1"},
		{"    streams: { b: { url: 'rtsp://h', sub: x } }\n", ":4:38: cameras.a.streams.b.sub: unknown key; want url, transport, tls, samples or retain"},
		{"    url: rtsp://h\n    tls: {}\n", ":5:5: cameras.a.tls.fingerprint: is missing; add one such as fingerprint: sha256:…, which the log has where the camera's certificate is not trusted"},
		{"    url: rtsp://h\n    tls: { fingerprint: 'sha1:00' }\n", `:5:25: cameras.a.tls.fingerprint: "sha1:00"; want sha256: and the 64 hexadecimal digits of the SHA-256 of the camera's certificate`},
		{"    streams: { b: [] }\n", ":4:16: cameras.a.streams.b: is a list; want text such as rtsp://user:${FRONT_DOOR_PASSWORD}@192.0.2.10/stream1"},
	}
	for _, tt := range tests {
		_, err := loadText(t, head+tt.text)
		if want := "nvrfs.yaml" + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", tt.text, err, want)
		}
	}
}

// testFingerprint is what a certificate may have.
const testFingerprint = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestFingerprint(t *testing.T) {
	colons := "SHA256:" + strings.TrimSuffix(strings.Repeat("00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:", 2), ":")
	c, err := loadText(t, "data: /d\ncameras:\n  a:\n    url: rtsps://h\n    tls: { fingerprint: '"+colons+"' }\n"+
		"    streams: { b: { url: 'rtsps://i', transport: http, tls: { fingerprint: '"+testFingerprint[:70]+"f' } } }\n")
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Cameras[0].Streams; s[0].Fingerprint != testFingerprint || s[1].Fingerprint != testFingerprint[:70]+"f" || s[1].Transport != "http" {
		t.Errorf("streams are %+v", s)
	}
}

// FuzzParse checks that whatever is in the file makes a configuration or an Error of one line.
func FuzzParse(f *testing.F) {
	f.Add("data: /d\nmount: { path: /m, umask: 0027 }\nrecording: { length: 1m }\ncameras:\n  a:\n    url: rtsp://u:${PASSWORD}@h/\n")
	f.Add("data: /d\ncameras: { a: { streams: { main: 'rtsp://h', b: { url: 'rtsp://h', samples: /s, retain: { days: 1 } } } } }\n")
	f.Add("data: &a /d\nmount: *a\ncameras: !!map\n  ? [x]\n  : |\n    y\n")
	f.Add("---\n...\n---\n<<: 1\n")
	f.Add(strings.Repeat("{a: ", 30) + strings.Repeat("}", 30))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("/nvrfs.yaml", []byte(text), testVariables)
		if err == nil {
			if c.Data == "" || len(c.Cameras) == 0 || len(c.Cameras[0].Streams) == 0 {
				t.Errorf("taken, but incomplete: %+v", c)
			}
			return
		}
		var mistake *Error
		if !errors.As(err, &mistake) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %q, want an Error of one line", err)
		}
	})
}

func TestReadONVIF(t *testing.T) {
	read := func(text string) (URL, error) {
		c, err := loadText(t, "data: /d\ncameras: { a: { url: 'rtsp://h', onvif: "+text+" } }\n")
		if err != nil {
			return URL{}, err
		}
		return c.Cameras[0].ONVIF, nil
	}
	for text, want := range map[string]string{
		"192.0.2.10":                        "http://192.0.2.10",
		"'camera.local:8000'":               "http://camera.local:8000",
		"'https://192.0.2.10/onvif/events'": "https://192.0.2.10/onvif/events",
		"'admin:p%40ss@192.0.2.10'":         "http://admin:p%40ss@192.0.2.10",
		"'http://admin:${PASSWORD}@h:1/x'":  "http://admin:s3cret%2F%40%3A%3F%23%25&%20%E2%82%AC@h:1/x",
	} {
		u, err := read(text)
		if err != nil || u.Reveal() != want {
			t.Errorf("%s: %q, %v, want %q", text, u.Reveal(), err, want)
		}
		if shown := u.String(); strings.Contains(shown, "s3cret") || strings.Contains(shown, "p%40ss") {
			t.Errorf("%s is shown as %s", text, shown)
		}
	}
	for _, text := range []string{"'rtsp://192.0.2.10'", "'http://'", "8000", "''", "'http://h/#a'", "'http://admin:s3cret/@h'", "{ url: h }"} {
		if u, err := read(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %q, %v", text, u.Reveal(), err)
		}
	}
}
