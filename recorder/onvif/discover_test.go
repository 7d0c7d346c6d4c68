package onvif_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nvrfs/media"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/onvif/onviftest"
)

const wait = 700 * time.Millisecond

func TestDiscover(t *testing.T) {
	a := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:aaaa", Scopes: "onvif://www.onvif.org/serial/S1 onvif://www.onvif.org/location/yard"})
	b := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:bbbb", Host: "10.1.2.3"})
	found, err := onvif.Discover(t.Context(), onvif.Discovery{Targets: []netip.AddrPort{a.Probe, b.Probe}, Wait: wait})
	if err != nil || len(found) != 2 {
		t.Fatalf("got %v, %v, want two devices", found, err)
	}
	for _, d := range found {
		of, serial, location := a, "S1", "yard"
		if d.Endpoint == b.Endpoint {
			of, serial, location = b, "", ""
		}
		_, port, _ := strings.Cut(of.Address(), ":")
		want := onvif.Device{
			Address: "127.0.0.1", Port: d.Port, URL: "http://127.0.0.1:" + port + "/onvif/device_service",
			Endpoint: of.Endpoint, Name: "Front door", Model: "IPC-1", Location: location, Serial: serial,
		}
		if d != want {
			t.Errorf("got %+v, want %+v", d, want)
		}
	}
}

// answerer answers each datagram with what f makes of it.
func answerer(t *testing.T, f func(id string) []string) netip.AddrPort {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			_, rest, _ := strings.Cut(string(buf[:n]), "MessageID>")
			id, _, _ := strings.Cut(rest, "<")
			for _, answer := range f(id) {
				_, _ = conn.WriteToUDP([]byte(answer), from)
			}
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

func match(id, endpoint, scopes, xaddrs string) string {
	return `<Envelope><Header><RelatesTo>` + id + `</RelatesTo></Header><Body><ProbeMatches><ProbeMatch><EndpointReference><Address>` + endpoint +
		`</Address></EndpointReference><Types>dn:NetworkVideoTransmitter</Types><Scopes>` + scopes + `</Scopes><XAddrs>` + xaddrs +
		`</XAddrs></ProbeMatch></ProbeMatches></Body></Envelope>`
}

// What answers to a probe may be anything.
func TestDiscoverWithstands(t *testing.T) {
	target := answerer(t, func(id string) (answers []string) {
		answers = append(answers, "", "<", strings.Repeat("<a>", 10_000), strings.Repeat("x", 60_000),
			match("uuid:another", "urn:uuid:not-asked", "", ""),
			strings.ReplaceAll(match(id, "urn:uuid:printer", "", ""), "dn:NetworkVideoTransmitter", "wsdp:Device"),
			match(strings.ToUpper(id), "urn:uuid:\x1b[31m\x07red", "onvif://www.onvif.org/name/%1b%5b31m%0abell onvif://www.onvif.org/hardware/"+strings.Repeat("m", 5000), "http://[ javascript:x ftp://h/"),
		)
		for i := range 400 {
			answers = append(answers, match(id, "urn:uuid:many-"+string(rune('a'+i%26))+strings.Repeat("x", i/26), "", ""))
		}
		return answers
	})
	found, err := onvif.Discover(t.Context(), onvif.Discovery{Targets: []netip.AddrPort{target}, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 || len(found) > 256 {
		t.Errorf("%d devices, want some, and at most 256", len(found))
	}
	for _, d := range found {
		all := d.Name + d.Model + d.Endpoint + d.URL
		if strings.ContainsAny(all, "\x1b\a\n") || len(all) > 1000 {
			t.Errorf("a device has control characters, or is long: %q", all)
		}
		if strings.Contains(all, "printer") || strings.Contains(all, "not-asked") {
			t.Errorf("%q was taken for a camera", d.Endpoint)
		}
		if !strings.HasPrefix(d.URL, "http://127.0.0.1/") {
			t.Errorf("the service is at %s, which is not where it answered", d.URL)
		}
	}
}

// Where nobody could be asked, that is an error, and no empty list.
func TestDiscoverFails(t *testing.T) {
	to := netip.MustParseAddrPort("127.0.0.1:0") // a port to which nothing can be sent
	if found, err := onvif.Discover(t.Context(), onvif.Discovery{Targets: []netip.AddrPort{to}, Wait: wait}); err == nil {
		t.Errorf("got %v", found)
	}
	heard := answerer(t, func(string) []string { return nil })
	if _, err := onvif.Discover(t.Context(), onvif.Discovery{Targets: []netip.AddrPort{to, heard}, Wait: wait}); err != nil {
		t.Errorf("one of two could be asked: %v", err)
	}
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	_, _ = onvif.Discover(ctx, onvif.Discovery{Targets: []netip.AddrPort{answerer(t, func(string) []string { return nil })}, Wait: time.Minute})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestFind(t *testing.T) {
	public := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:1", Serial: "S1", Public: true, Auth: onviftest.Digest})
	private := onviftest.Start(t, onviftest.Options{Endpoint: "urn:uuid:2", Serial: "S2", Auth: onviftest.Digest})
	f := onvif.Finder{Discovery: onvif.Discovery{Targets: []netip.AddrPort{public.Probe, private.Probe}, Wait: wait}}
	for _, tt := range []struct {
		name  string
		id    onvif.Identity
		found bool
	}{
		{"serial that it tells", onvif.Identity{Serial: "s1"}, true},
		{"both", onvif.Identity{Serial: "S1", Endpoint: "urn:uuid:1"}, true},
		{"a new endpoint", onvif.Identity{Serial: "S1", Endpoint: "urn:uuid:before"}, true},
		{"serial that it does not tell", onvif.Identity{Serial: "S2"}, false},
		{"endpoint of one that does not tell its serial", onvif.Identity{Serial: "S2", Endpoint: "URN:UUID:2"}, true},
		{"endpoint against the serial", onvif.Identity{Serial: "S9", Endpoint: "urn:uuid:1"}, false},
		{"nobody", onvif.Identity{Serial: "S3", Endpoint: "urn:uuid:3"}, false},
		{"nothing", onvif.Identity{}, false},
	} {
		address, ok := f.Find(t.Context(), tt.id)
		if ok != tt.found || ok && address != "127.0.0.1" {
			t.Errorf("%s: got %q, %t", tt.name, address, ok)
		}
	}
	if _, _, seen := private.Log(); strings.Contains(seen, "Security") || strings.Contains(seen, "Digest") {
		t.Error("a device that was found was told a password")
	}
	if calls, _, _ := public.Log(); len(calls) > 4 {
		t.Errorf("%d calls: each Find made a discovery", len(calls))
	}
}

// A source that plays a part of a test.
type source func(h media.Handler) error

func (s source) Run(_ context.Context, h media.Handler) error { return s(h) }

type discard struct{ media.Handler }

func (discard) Sample(media.Sample) error { return nil }

// A camera that is away for long enough is tried where it is found, then again where the configuration says.
func TestFollower(t *testing.T) {
	away, plays := errors.New("away"), map[string]bool{"": true}
	var tried, told []string
	at := ""
	f := onvif.Follower{
		After: time.Nanosecond,
		Source: func(address string) media.Source {
			return source(func(h media.Handler) error {
				tried = append(tried, address)
				if !plays[address] {
					return away
				}
				if err := h.Sample(media.Sample{}); err != nil {
					return err
				}
				return errors.New("ended")
			})
		},
		Find:  func(context.Context) (string, bool) { return at, at != "" },
		Moved: func(address string) { told = append(told, address) },
	}
	run := func() { _ = f.Run(t.Context(), discard{}) }
	run()
	plays[""] = false
	run() // the first that fails
	run() // nobody is found
	at = "192.0.2.9"
	run()
	plays[at] = true
	run() // there
	run() // and still
	plays[at] = false
	run()
	plays[""] = true
	run() // back
	want := []string{"", "", "", "", "192.0.2.9", "192.0.2.9", "192.0.2.9", ""}
	if strings.Join(tried, ",") != strings.Join(want, ",") {
		t.Errorf("tried %q, want %q", tried, want)
	}
	if len(told) != 1 || told[0] != "192.0.2.9" {
		t.Errorf("told %q, want the address once", told)
	}
}
