// Package onvif finds cameras and asks them about themselves, by the few calls of ONVIF that this takes.
//
//	local networks <─Probe─ Discover ─> Device        address, name, model, and the name that stays when the address changes
//	camera         <─SOAP── Client   ─> Information, Profile, URLs of streams, a Subscription to events; Call for any other request
//
//	discover.go, probe.go  WS-Discovery: who is there
//	client.go, soap.go     requests, authentication, and what faults mean
//	device.go, media.go    the calls
//	events.go              a pull point: what the camera tells of
//	follow.go              a source of samples that finds its camera again when the address has changed
//
// # Invariants
//
//   - Everything that answers is bounded in bytes and in time, and its texts hold no control characters: they reach terminals and logs.
//   - The user name and the password go to the host that the caller named, and never to another that the camera names.
//   - The password is never sent readable: by digest of HTTP (RFC 7616) or of a WS-UsernameToken, and not by Basic.
//   - What a device says in discovery is a claim. It is used to choose where to look, and proves nothing.
//
// # What it does not know
//
// It knows no configuration and no RTSP: whoever asks for the URL of a stream also connects to it.
package onvif
