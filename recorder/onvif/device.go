package onvif

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// The namespaces of services.
const (
	DeviceService = "http://www.onvif.org/ver10/device/wsdl"
	MediaService  = "http://www.onvif.org/ver10/media/wsdl"
	Media2Service = "http://www.onvif.org/ver20/media/wsdl"
	EventsService = "http://www.onvif.org/ver10/events/wsdl"
)

// ErrUnreachable says that nothing answered as an ONVIF device does.
var ErrUnreachable = errors.New("no ONVIF device answers")

// device calls the device service: name is that of the request, and content what stands in it.
func (c *Client) device(ctx context.Context, name, content string, answer any) error {
	body := fmt.Sprintf(`<%s xmlns="%s">%s</%[1]s>`, name, DeviceService, content)
	return c.Call(ctx, Request{Service: DeviceService, Action: DeviceService + "/" + name, Body: body}, answer)
}

// takeTime asks for the camera's clock before anything else, because it compares the time in a digest with that. It fails where no
// ONVIF device answers at all.
func (c *Client) takeTime(ctx context.Context) error {
	type dateTime struct {
		Year   int `xml:"Date>Year"`
		Month  int `xml:"Date>Month"`
		Day    int `xml:"Date>Day"`
		Hour   int `xml:"Time>Hour"`
		Minute int `xml:"Time>Minute"`
		Second int `xml:"Time>Second"`
	}
	var answer struct {
		UTC *dateTime `xml:"GetSystemDateAndTimeResponse>SystemDateAndTime>UTCDateTime"`
	}
	sent := time.Now()
	err := c.Call(ctx, Request{
		Service: DeviceService, Action: DeviceService + "/GetSystemDateAndTime", Body: `<GetSystemDateAndTime xmlns="` + DeviceService + `"/>`,
		nobody: true, // a digest with a wrong time might count as a failed attempt
	}, &answer)
	var fault *Fault
	switch {
	case err == nil:
	case errors.Is(err, ErrRefused), errors.As(err, &fault):
		return nil // then by this host's clock
	case ctx.Err() != nil:
		return err
	default:
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base.Host, err)
	}
	if t := answer.UTC; t != nil && t.Year >= 1970 && t.Year < 2200 {
		theirs := time.Date(t.Year, time.Month(t.Month), t.Day, t.Hour, t.Minute, t.Second, 0, time.UTC)
		c.ahead, c.hasClock = theirs.Sub(sent.Add(time.Since(sent)/2)), true
	}
	return nil
}

// findServices asks where the services of the device are.
func (c *Client) findServices(ctx context.Context) error {
	var answer struct {
		Services []struct {
			Namespace string `xml:"Namespace"`
			XAddr     string `xml:"XAddr"`
		} `xml:"GetServicesResponse>Service"`
	}
	found := map[string]string{}
	err := c.device(ctx, "GetServices", "<IncludeCapability>false</IncludeCapability>", &answer)
	switch {
	case errors.Is(err, ErrRefused), err != nil && ctx.Err() != nil:
		return err
	case err != nil || len(answer.Services) == 0: // older than that call
		var old struct {
			Media  string `xml:"GetCapabilitiesResponse>Capabilities>Media>XAddr"`
			Events string `xml:"GetCapabilitiesResponse>Capabilities>Events>XAddr"`
		}
		if err := c.device(ctx, "GetCapabilities", "<Category>All</Category>", &old); err != nil {
			return err
		}
		found[MediaService], found[EventsService] = old.Media, old.Events
	}
	for _, s := range answer.Services {
		switch s.Namespace {
		case MediaService, Media2Service, EventsService:
			found[s.Namespace] = s.XAddr
		}
	}
	c.services = map[string]*url.URL{}
	for name, address := range found {
		if address == "" {
			continue
		}
		u, err := c.at(address)
		if err != nil {
			return err
		}
		c.services[name] = u
	}
	return nil
}

// Information is what the device says it is.
type Information struct {
	Manufacturer string `xml:"Manufacturer"`
	Model        string `xml:"Model"`
	Firmware     string `xml:"FirmwareVersion"`
	Serial       string `xml:"SerialNumber"`
}

// Information asks what the device is.
func (c *Client) Information(ctx context.Context) (Information, error) {
	var answer struct {
		I Information `xml:"GetDeviceInformationResponse"`
	}
	err := c.device(ctx, "GetDeviceInformation", "", &answer)
	i := answer.I
	for _, s := range []*string{&i.Manufacturer, &i.Model, &i.Firmware, &i.Serial} {
		*s = clean(*s)
	}
	return i, err
}

// Endpoint asks for the name that the device announces itself by in discovery, "urn:uuid:…". Few devices answer this call; the others
// tell their endpoint only when they answer a probe.
func (c *Client) Endpoint(ctx context.Context) (string, error) {
	var answer struct {
		GUID string `xml:"GetEndpointReferenceResponse>GUID"`
	}
	err := c.device(ctx, "GetEndpointReference", "", &answer)
	return clean(answer.GUID), err
}
