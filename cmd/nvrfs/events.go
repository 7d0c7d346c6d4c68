package main

import (
	"net/url"
	"strings"

	"nvrfs/config"
	"nvrfs/recorder/events"
	"nvrfs/recorder/onvif"
)

// askedForEvents lists the cameras of a configuration that have onvif. Where that names no user, it is the one of the camera's first
// stream, if both are at the same host: its password is for that host alone.
func askedForEvents(cfg *config.Config) (cameras []events.Camera) {
	for _, c := range cfg.Cameras {
		at, err := url.Parse(c.ONVIF.Reveal())
		if err != nil || c.ONVIF.IsZero() {
			continue
		}
		user := at.User
		stream, err := url.Parse(c.Streams[0].URL.Reveal())
		if user == nil && err == nil && strings.EqualFold(stream.Hostname(), at.Hostname()) {
			user = stream.User
		}
		at.User = nil
		o := onvif.Options{Address: at.String(), User: user.Username()}
		o.Password, _ = user.Password()
		cameras = append(cameras, events.Camera{Name: c.Name, ONVIF: o})
	}
	return cameras
}
