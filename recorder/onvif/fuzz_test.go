package onvif

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// checkText fails where a text could do something to a terminal or a log.
func checkText(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if s != clean(s) {
			t.Errorf("%q is not clean", s)
		}
	}
}

// Whatever a datagram holds, the devices in it are few, are where it came from, and have texts that can be shown.
func FuzzProbeMatches(f *testing.F) {
	p := probe{id: "6f7c"}
	const match = `<Envelope><Header><RelatesTo>urn:uuid:6f7c</RelatesTo></Header><Body><ProbeMatches><ProbeMatch><EndpointReference><Address>urn:uuid:1` +
		`</Address></EndpointReference><Types>dn:NetworkVideoTransmitter</Types><Scopes>onvif://www.onvif.org/name/a%20b</Scopes><XAddrs>http://10.0.0.1:8000/onvif/x https://[::1]/y</XAddrs></ProbeMatch></ProbeMatches></Body></Envelope>`
	f.Add([]byte(match))
	f.Add([]byte(strings.ReplaceAll(match, "a%20b", "%1b%5b31m")))
	f.Add([]byte(strings.ReplaceAll(match, "http://10.0.0.1:8000/onvif/x", "http://192.0.2.1:99999/ http://192.0.2.1:0/?a#b")))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		devices := parseProbeMatches(datagram, netip.MustParseAddr("192.0.2.1"), []probe{p})
		if len(devices) > maxMatches {
			t.Errorf("%d devices", len(devices))
		}
		for _, d := range devices {
			checkText(t, d.Endpoint, d.Name, d.Model, d.Location, d.Serial, d.URL)
			if u, err := url.Parse(strings.TrimSuffix(d.URL, "…")); err != nil || u.Hostname() != "192.0.2.1" || d.Port == 0 {
				t.Errorf("the service of a device is at %q, port %d", d.URL, d.Port)
			}
		}
	})
}

// Whatever an answer holds, reading it ends in texts that can be shown, and in URLs at the host that was asked.
func FuzzAnswer(f *testing.F) {
	const envelope = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>`
	f.Add([]byte(envelope + `<s:Fault><s:Code><s:Value>a</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>`))
	f.Add([]byte(envelope + `<GetProfilesResponse><Profiles token="a"><Name>b</Name><VideoEncoderConfiguration><Encoding>H264</Encoding><Resolution><Width>1</Width></Resolution></VideoEncoderConfiguration></Profiles></GetProfilesResponse></s:Body></s:Envelope>`))
	f.Add([]byte(envelope + `<GetStreamUriResponse><MediaUri><Uri>rtsp://u:p@[::1]:554/x?a=${B}</Uri></MediaUri></GetStreamUriResponse></s:Body></s:Envelope>`))
	c := &Client{base: &url.URL{Scheme: "http", Host: "192.0.2.1:80"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var answer struct {
			Profiles []profile `xml:"GetProfilesResponse>Profiles"`
			URI      string    `xml:"GetStreamUriResponse>MediaUri>Uri"`
		}
		if err := parseAnswer(text, &answer); err != nil {
			checkText(t, err.Error())
			return
		}
		for _, p := range usable(answer.Profiles, MediaService) {
			checkText(t, p.Name, p.Source, p.Codec, p.Sound)
		}
		s, err := c.place(answer.URI)
		if err != nil {
			return
		}
		u, err := url.Parse(s.URL)
		if err != nil || u.Hostname() != "192.0.2.1" || u.User != nil || strings.ContainsAny(s.URL, "\n\r\x1b") {
			t.Errorf("%q became %q, %v", answer.URI, s.URL, err)
		}
	})
}

// Whatever messages of events hold, they are few and short, can be shown, and say times that can be reckoned with.
func FuzzEvents(f *testing.F) {
	const motion = `<Body><PullMessagesResponse><NotificationMessage><Topic>tns1:VideoSource/MotionAlarm</Topic><Message><Message UtcTime="2026-11-20T14:00:00Z" PropertyOperation="Changed">` +
		`<Source><SimpleItem Name="a" Value="b"/></Source><Data><SimpleItem Name="State" Value="true"/></Data></Message></Message></NotificationMessage></PullMessagesResponse></Body>`
	const created = `<Body><CreatePullPointSubscriptionResponse><SubscriptionReference><Address>http://a/b</Address><ReferenceParameters><x:a xmlns:x="b">c</x:a></ReferenceParameters></SubscriptionReference></CreatePullPointSubscriptionResponse></Body>`
	f.Add([]byte(motion))
	f.Add([]byte(created))
	f.Add([]byte(strings.ReplaceAll(motion, "2026-11-20T14:00:00Z", "292277026596-12-04T15:30:08Z")))
	f.Fuzz(func(t *testing.T, text []byte) {
		var answer struct {
			Messages   []message `xml:"PullMessagesResponse>NotificationMessage"`
			Parameters reference `xml:"CreatePullPointSubscriptionResponse>SubscriptionReference>ReferenceParameters"`
		}
		if unmarshal(text, &answer) != nil {
			return
		}
		events := eventsOf(answer.Messages)
		if len(events) > maxMessages || len(events) > len(answer.Messages) {
			t.Errorf("%d events", len(events))
		}
		for _, e := range events {
			checkText(t, e.Topic, e.Operation)
			for _, i := range append(e.Source, e.Data...) {
				checkText(t, i.Name, i.Value)
			}
			if len(e.Source) > maxItems || !e.At.IsZero() && (e.At.Year() < 1969 || e.At.Year() > 2200) {
				t.Errorf("%+v", e)
			}
		}
		header := answer.Parameters.header()
		var again reference
		if err := unmarshal([]byte("<a>"+header+"</a>"), &again); err != nil || len(header) > maxReference {
			t.Errorf("a header of %d bytes: %v: %s", len(header), err, header)
		}
	})
}
