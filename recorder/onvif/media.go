package onvif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxProfiles is how many profiles are looked at. A recorder of 64 channels has three for each.
const maxProfiles = 256

// maxURL is how long a URL may be, in bytes.
const maxURL = 2000

// A Profile is a stream that the device can send.
type Profile struct {
	Token   string
	service string // that told of it
	Name    string
	Source  string // the token of the sensor or channel that it shows
	Codec   string // of the picture, as the device calls it: "H264", "H265", "JPEG"
	Width   int
	Height  int
	Rate    float64 // pictures a second at most
	Bitrate int     // kbit/s at most
	GOP     int     // pictures from one that can be decoded alone to the next; 0 where the device does not tell
	Sound   string  // its codec, as the device calls it; "" for none
}

// Pixels is how many pixels a picture of the profile has.
func (p Profile) Pixels() int { return p.Width * p.Height }

type encoder struct {
	Encoding string  `xml:"Encoding"`
	Width    int     `xml:"Resolution>Width"`
	Height   int     `xml:"Resolution>Height"`
	Rate     float64 `xml:"RateControl>FrameRateLimit"`
	Bitrate  int     `xml:"RateControl>BitrateLimit"`
	GOP4     int     `xml:"H264>GovLength"` // of ver10
	GOP      int     `xml:"GovLength,attr"` // of ver20
}

type profile struct {
	Token  string   `xml:"token,attr"`
	Name   string   `xml:"Name"`
	Source string   `xml:"VideoSourceConfiguration>SourceToken"`
	Video  *encoder `xml:"VideoEncoderConfiguration"`
	Sound  string   `xml:"AudioEncoderConfiguration>Encoding"`

	Source2 string   `xml:"Configurations>VideoSource>SourceToken"` // of ver20
	Video2  *encoder `xml:"Configurations>VideoEncoder"`
	Sound2  string   `xml:"Configurations>AudioEncoder>Encoding"`
}

// Profiles asks which streams of video there are. The newer of the two media services, which alone tells of H.265, is asked first.
func (c *Client) Profiles(ctx context.Context) ([]Profile, error) {
	var failed error
	for _, ask := range []struct{ service, content string }{
		{Media2Service, "<Type>VideoSource</Type><Type>VideoEncoder</Type><Type>AudioEncoder</Type>"},
		{MediaService, ""},
	} {
		if !c.Has(ask.service) {
			continue
		}
		var answer struct {
			Profiles []profile `xml:"GetProfilesResponse>Profiles"`
		}
		body := fmt.Sprintf(`<GetProfiles xmlns="%s">%s</GetProfiles>`, ask.service, ask.content)
		err := c.Call(ctx, Request{Service: ask.service, Action: ask.service + "/GetProfiles", Body: body}, &answer)
		if errors.Is(err, ErrRefused) || ctx.Err() != nil {
			return nil, err
		}
		profiles := usable(answer.Profiles, ask.service)
		if len(profiles) > 0 {
			return profiles, nil
		}
		failed = cmp.Or(err, failed)
	}
	return nil, cmp.Or(failed, errors.New("the device tells of no stream of video by ONVIF"))
}

// usable returns the profiles that have video.
func usable(answered []profile, service string) (profiles []Profile) {
	for _, p := range answered[:min(len(answered), maxProfiles)] {
		video, source, sound := p.Video, p.Source, p.Sound
		if video == nil {
			video = p.Video2
		}
		if video == nil || p.Token == "" {
			continue
		}
		profiles = append(profiles, Profile{
			service: service, Token: p.Token, Name: clean(p.Name), Source: clean(cmp.Or(source, p.Source2)),
			Codec: clean(video.Encoding), Width: video.Width, Height: video.Height, Rate: video.Rate, Bitrate: video.Bitrate,
			GOP: cmp.Or(video.GOP, video.GOP4), Sound: clean(cmp.Or(sound, p.Sound2)),
		})
	}
	return profiles
}

// A StreamURL is where a profile is sent from.
type StreamURL struct {
	URL   string // rtsp or rtsps, at the host that the Client asks, without user name and password
	Named string // the host that the device named, where it is another one; else ""
}

// StreamURL asks for the URL of a profile.
func (c *Client) StreamURL(ctx context.Context, p Profile) (StreamURL, error) {
	content := `<Protocol>RTSP</Protocol>`
	if p.service == MediaService {
		content = `<StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>` +
			`<Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>`
	}
	body := fmt.Sprintf(`<GetStreamUri xmlns="%s">%s<ProfileToken>%s</ProfileToken></GetStreamUri>`, p.service, content, Escape(p.Token))
	var answer struct {
		URI  string `xml:"GetStreamUriResponse>MediaUri>Uri"`
		URI2 string `xml:"GetStreamUriResponse>Uri"` // of ver20
	}
	if err := c.Call(ctx, Request{Service: p.service, Action: p.service + "/GetStreamUri", Body: body}, &answer); err != nil {
		return StreamURL{}, err
	}
	return c.place(strings.TrimSpace(cmp.Or(answer.URI, answer.URI2)))
}

// place returns the URL of a stream at the host that the caller named. The device may name one that is not reachable from here, its
// own name or 0.0.0.0; and the password is for the host that the caller named alone.
func (c *Client) place(uri string) (StreamURL, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "rtsp" && u.Scheme != "rtsps" || u.Hostname() == "" || len(uri) > maxURL {
		return StreamURL{}, errors.New("the camera answers with an address of its stream that is no RTSP URL")
	}
	s := StreamURL{}
	if !strings.EqualFold(u.Hostname(), c.base.Hostname()) {
		s.Named = clean(u.Hostname())
	}
	u.Host = hostPort(c.base.Hostname(), u.Port())
	u.User, u.Fragment = nil, ""
	s.URL = u.String()
	return s, nil
}

// subPixels is how large a sub stream is at most, where there is a choice: it is for overviews and weak lines.
const subPixels = 1280 * 720

// Sources returns the sensors or channels that profiles show, in the order in which the device tells of them.
func Sources(profiles []Profile) (tokens []string) {
	for _, p := range profiles {
		if !slices.Contains(tokens, p.Source) {
			tokens = append(tokens, p.Source)
		}
	}
	return tokens
}

// Choose picks two profiles of one source. main has the largest picture. sub, for overviews, has a smaller one: the largest of up to
// 1280x720, or else the smallest of all; there may be none.
func Choose(profiles []Profile, source string) (main Profile, sub *Profile, ok bool) {
	var of []Profile
	for _, p := range profiles {
		if p.Source == source {
			of = append(of, p)
		}
	}
	if len(of) == 0 {
		return Profile{}, nil, false
	}
	still := func(p Profile) int { // Motion JPEG is many times larger for the same picture
		if strings.EqualFold(p.Codec, "JPEG") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(of, func(a, b Profile) int {
		return cmp.Or(still(a)-still(b), b.Pixels()-a.Pixels(), b.Bitrate-a.Bitrate)
	})
	main = of[0]
	for i := range of {
		p := &of[i]
		if p.Pixels() >= main.Pixels() || still(*p) > still(main) {
			continue
		}
		if sub == nil || sub.Pixels() > subPixels {
			sub = p
		}
	}
	return main, sub, true
}
