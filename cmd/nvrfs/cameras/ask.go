package cameras

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"nvrfs/config"
	"nvrfs/recorder/onvif"
	"nvrfs/recorder/survey"
	"nvrfs/redact"
)

// A candidate is a camera that may be added. Its addresses have no password.
type candidate struct {
	main, sub string
	named     string // the host that the camera names for its streams, where it is another than the one that was given
	device    config.Device
	onvif     string // where it is asked for its events; "" for none, or where they would be those of several cameras
}

// ask asks a camera by ONVIF which streams it has, and who it is. Where the camera wants a user and none is given, it asks on the terminal.
func (env *Environment) ask(ctx context.Context, address string, source int, l *login) (candidate, error) {
	c, err := env.askAs(ctx, address, source, *l)
	if errors.Is(err, onvif.ErrRefused) && l.user == "" {
		asked, errAsk := env.askUser(l)
		if errAsk != nil {
			return candidate{}, errAsk
		}
		if !asked {
			return candidate{}, fmt.Errorf("%w; give --user", err)
		}
		c, err = env.askAs(ctx, address, source, *l)
	}
	if errors.Is(err, onvif.ErrUnreachable) {
		err = fmt.Errorf("%w; if the camera has no ONVIF, or it is switched off, give the URL of its stream: rtsp://%s/…", err, address)
	}
	return c, err
}

func (env *Environment) askAs(ctx context.Context, address string, source int, l login) (found candidate, err error) {
	c, err := onvif.Open(ctx, onvif.Options{Address: address, User: l.user, Password: l.password})
	if err != nil {
		return candidate{}, err
	}
	defer c.Close()
	info, err := c.Information(ctx)
	if err != nil {
		return candidate{}, err
	}
	env.tell("%s: %s", c.Host(), strings.Join(strings.Fields(info.Manufacturer+" "+info.Model+", firmware "+info.Firmware+", serial number "+info.Serial), " "))
	if ahead, ok := c.Clock(); ok && ahead.Abs() > 2*time.Second {
		env.tell("its clock is %s; set it by NTP, since it writes its time into the picture", survey.AheadText(ahead.Seconds()))
	}
	found.device = config.Device{Serial: info.Serial, Endpoint: endpoint(ctx, c)}
	profiles, err := c.Profiles(ctx)
	if err != nil {
		return candidate{}, err
	}
	sources := onvif.Sources(profiles)
	if source > len(sources) {
		return candidate{}, env.Usagef("--source %d: the device shows %d", source, len(sources))
	}
	if len(sources) > 1 {
		env.tell("it has %d pictures of its own (channels or sensors); this is number %d: --source chooses another", len(sources), source)
	}
	if len(sources) == 1 && c.Has(onvif.EventsService) {
		found.onvif = c.URL()
	}
	main, sub, _ := onvif.Choose(profiles, sources[source-1])
	for _, s := range []struct {
		name    string
		profile *onvif.Profile
		to      *string
	}{{"main", &main, &found.main}, {"sub", sub, &found.sub}} {
		if s.profile == nil {
			continue
		}
		env.tell("%s stream: %s, %s %dx%d", s.name, s.profile.Name, s.profile.Codec, s.profile.Width, s.profile.Height)
		at, err := c.StreamURL(ctx, *s.profile)
		if err != nil && s.profile == sub {
			env.tell("the sub stream is left out: %v", err)
			continue
		}
		if err != nil {
			return candidate{}, err
		}
		*s.to, found.named = at.URL, at.Named
	}
	if found.sub == found.main {
		found.sub = ""
	}
	return found, nil
}

// endpointWait is how long a camera may take to answer discovery with its endpoint.
const endpointWait = 1500 * time.Millisecond

// endpoint returns the endpoint of a camera, which is the name that it announces itself by, or "" where the camera does not tell it.
func endpoint(ctx context.Context, c *onvif.Client) string {
	if e, err := c.Endpoint(ctx); err == nil && strings.HasPrefix(e, "urn:") {
		return e
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", c.Host())
	if err != nil || len(addresses) == 0 {
		return ""
	}
	to := netip.AddrPortFrom(addresses[0].Unmap(), onvif.ProbePort)
	devices, err := onvif.Discover(ctx, onvif.Discovery{Targets: []netip.AddrPort{to}, Wait: endpointWait})
	if err != nil || len(devices) != 1 || !strings.HasPrefix(devices[0].Endpoint, "urn:") {
		return ""
	}
	return devices[0].Endpoint
}

// try connects to a stream, waits for its first sample, and says what the camera sends.
func (env *Environment) try(ctx context.Context, name string, stream config.Stream) error {
	kept := &notes{}
	var s survey.Survey
	_, err := s.Watch(ctx, env.Source(stream, slog.New(kept), s.Reports), 0)
	if err != nil {
		return fmt.Errorf("try the %s stream: %w", name, err)
	}
	for _, t := range s.Report().Tracks {
		words := t.Words
		if t.Width > 0 {
			words += fmt.Sprintf(", %dx%d", t.Width, t.Height)
		}
		env.tell("%s stream: it sends %s", name, words)
	}
	for _, x := range kept.leftOut {
		env.tell("%s stream: %s is not recorded: %s", name, redact.Text(x.Codec), redact.Text(x.Reason))
	}
	for _, line := range kept.lines {
		env.tell("%s stream: %s", name, redact.Text(line))
	}
	return nil
}

// withUser returns the URL of a stream as a template of the configuration: with the user, and with secret, such as
// ${file:/etc/garage.password}, as the password. A ${ in the URL is escaped, because a camera must not name secrets of this host.
func withUser(plain, user, secret string) string {
	plain = strings.ReplaceAll(plain, "${", "%24%7B") // a camera is not to name secrets of this host
	scheme, rest, _ := strings.Cut(plain, "://")
	if user == "" {
		return plain
	}
	return scheme + "://" + strings.ReplaceAll(url.QueryEscape(user), "+", "%20") + ":" + secret + "@" + rest
}

// tell says on standard error what happens.
func (env *Environment) tell(format string, args ...any) {
	fmt.Fprintln(env.Stderr, fmt.Sprintf(format, args...))
}
