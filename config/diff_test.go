package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const twoCameras = `data: /d
mount: /m
timezone: Europe/Berlin
cameras:
  a: { url: 'rtsp://u:${PASSWORD}@h/1', sub: 'rtsp://h/2', retain: { days: 3 } }
  b: { url: 'rtsp://h/3' }
`

func TestDiff(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // what is replaced in twoCameras
		want     string
	}{
		{"nothing", "", "", ""},
		{"a comment", "data: /d", "data: /d # here", ""},
		{"another order", twoCameras[strings.Index(twoCameras, "  a:"):], "  b: { url: 'rtsp://h/3' }\n  a: { sub: 'rtsp://h/2', url: 'rtsp://u:${PASSWORD}@h/1', retain: { days: 3 } }\n", ""},
		{"short form and long", "url: 'rtsp://h/3'", "streams: { main: 'rtsp://h/3' }", ""},
		{"camera added", "  b:", "  c: { url: 'rtsp://h/4' }\n  b:", "+c.main"},
		{"camera gone", "  b: { url: 'rtsp://h/3' }\n", "", "-b.main"},
		{"camera renamed", "  b:", "  B:", "+B.main -b.main"},
		{"stream gone", "sub: 'rtsp://h/2', ", "", "-a.sub"},
		{"stream added", "'rtsp://h/3'", "'rtsp://h/3', streams: { left: 'rtsp://h/5' }", "+b.left"},
		{"password", "${PASSWORD}", "other", "a.main:source"},
		{"transport", "'rtsp://h/3'", "'rtsp://h/3', transport: udp", "b.main:source"},
		{"certificate", "'rtsp://h/3'", "'rtsp://h/3', tls: { fingerprint: '" + testFingerprint + "' }", "b.main:source"},
		{"retain", "days: 3", "days: 4", "a.main:retain a.sub:retain"},
		{"samples", "'rtsp://h/3'", "'rtsp://h/3', samples: /s", "b.main:samples"},
		{"serial", "retain: { days: 3 }", "serial: 0012, retain: { days: 3 }", "a.main:device a.sub:device"},
		{"endpoint", "'rtsp://h/3'", "'rtsp://h/3', endpoint: 'urn:uuid:1'", "b.main:device"},
		{"events", "'rtsp://h/3'", "'rtsp://h/3', onvif: h", "b:events"},
		{"all of a stream", "'rtsp://h/3'", "'rtsp://h/9', samples: /s, retain: { days: 1 }", "b.main:source,samples,retain"},
		{"retain of all", "data: /d", "data: /d\nretain: { bytes: 1TB }", "retain"},
		{"data", "data: /d", "data: /e", "restart:data"},
		{"mount option", "mount: /m", "mount: { path: /m, umask: 077 }", "restart:mount"},
		{"the rest", "timezone: Europe/Berlin", "timezone: UTC\nhttp: { listen: ':1' }\ncache: 5MB\nrecording: { sync: 1s }", "restart:timezone restart:http restart:cache restart:recording"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parse := func(text string) *Config {
				c, err := Parse("/nvrfs.yaml", []byte(text), testVariables)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			d := Diff(parse(twoCameras), parse(strings.Replace(twoCameras, tt.old, tt.new, 1)))
			if got := describe(d); got != tt.want || d.None() != (tt.want == "") {
				t.Errorf("got %q (none: %t), want %q", got, d.None(), tt.want)
			}
		})
	}
}

// describe writes a difference as the tests do.
func describe(d Difference) string {
	var all []string
	for _, c := range d.Streams {
		label := c.Camera + "." + c.Name
		switch {
		case c.Old == nil:
			all = append(all, "+"+label)
		case c.New == nil:
			all = append(all, "-"+label)
		default:
			var how []string
			if c.Source() {
				how = append(how, "source")
			}
			if c.Samples() {
				how = append(how, "samples")
			}
			if c.Retain() {
				how = append(how, "retain")
			}
			if c.Device() {
				how = append(how, "device")
			}
			all = append(all, label+":"+strings.Join(how, ","))
		}
	}
	for _, camera := range d.Events {
		all = append(all, camera+":events")
	}
	if d.Retain {
		all = append(all, "retain")
	}
	for _, name := range d.Restart {
		all = append(all, "restart:"+name)
	}
	return strings.Join(all, " ")
}

// Every setting of the file is compared: who adds one has to say here what a reload does with it.
func TestDiffKnowsAll(t *testing.T) {
	for of, want := range map[reflect.Type]string{
		reflect.TypeFor[Config](): "Data Mount Timezone HTTP Cache Recording Retain Cameras",
		reflect.TypeFor[Camera](): "Name Streams ONVIF",
		reflect.TypeFor[Stream](): "Name URL Transport Fingerprint Samples Retain Device",
		reflect.TypeFor[Device](): "Serial Endpoint",
	} {
		if got := fields(of); got != want {
			t.Errorf("%v has %s; compare what is new in Diff", of, got)
		}
	}
}

func fields(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return strings.Trim(fmt.Sprint(names), "[]")
}
