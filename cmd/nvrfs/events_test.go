package main

import (
	"slices"
	"testing"

	"nvrfs/config"
	"nvrfs/recorder/events"
	"nvrfs/recorder/onvif"
)

// The password of a stream goes to the ONVIF service of its own host, and to no other.
func TestAskedForEvents(t *testing.T) {
	cfg, err := config.Parse("/nvrfs.yaml", []byte(`data: /d
cameras:
  a: { url: 'rtsp://u:${PASSWORD}@192.0.2.1:554/1', onvif: '192.0.2.1:8000' }
  b: { url: 'rtsp://u:${PASSWORD}@192.0.2.1:554/1', onvif: '192.0.2.2' }
  c: { url: 'rtsp://u:${PASSWORD}@192.0.2.1:554/1', onvif: 'http://v:w@192.0.2.2/x' }
  d: { url: 'rtsp://192.0.2.1:554/1', onvif: 'https://192.0.2.1/' }
  e: { url: 'rtsp://192.0.2.1:554/1' }
`), func(string) (string, bool) { return "p@/", true })
	if err != nil {
		t.Fatal(err)
	}
	want := []events.Camera{
		{Name: "a", ONVIF: onvif.Options{Address: "http://192.0.2.1:8000", User: "u", Password: "p@/"}},
		{Name: "b", ONVIF: onvif.Options{Address: "http://192.0.2.2"}},
		{Name: "c", ONVIF: onvif.Options{Address: "http://192.0.2.2/x", User: "v", Password: "w"}},
		{Name: "d", ONVIF: onvif.Options{Address: "https://192.0.2.1/"}},
	}
	if got := askedForEvents(cfg); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
