package onvif

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// maxMatches is how many devices one answer may tell of. A device tells of itself alone, a proxy of several.
const maxMatches = 16

// A probe is a question who is there, and its id, which answers repeat.
type probe struct {
	id      string
	message []byte
}

// newProbes returns the questions for network video transmitters and, since not all devices answer to that, for ONVIF devices.
func newProbes() (probes []probe) {
	for _, typ := range []string{
		`xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter`,
		`xmlns:dn="http://www.onvif.org/ver10/device/wsdl">dn:Device`,
	} {
		id := uuid.NewString()
		probes = append(probes, probe{id, fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>`+
			`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">`+
			`<s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>`+
			`<a:MessageID>uuid:%s</a:MessageID>`+
			`<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>`+
			`<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>`+
			`<s:Body><d:Probe xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><d:Types %s</d:Types></d:Probe></s:Body></s:Envelope>`, id, typ)})
	}
	return probes
}

type probeMatches struct {
	RelatesTo string `xml:"Header>RelatesTo"`
	Matches   []struct {
		Endpoint string `xml:"EndpointReference>Address"`
		Types    string `xml:"Types"`
		Scopes   string `xml:"Scopes"`
		XAddrs   string `xml:"XAddrs"`
	} `xml:"Body>ProbeMatches>ProbeMatch"`
}

// parseProbeMatches returns the devices that a datagram tells of, if it answers one of our probes.
func parseProbeMatches(datagram []byte, from netip.Addr, probes []probe) (devices []Device) {
	var answer probeMatches
	if err := unmarshal(datagram, &answer); err != nil || len(answer.Matches) > maxMatches {
		return nil
	}
	asked := false
	for _, p := range probes {
		asked = asked || strings.HasSuffix(strings.ToLower(strings.TrimSpace(answer.RelatesTo)), p.id)
	}
	if !asked {
		return nil
	}
	for _, m := range answer.Matches {
		if !strings.Contains(m.Types, "NetworkVideo") && !strings.Contains(m.Scopes, "onvif://") {
			continue // printers answer too
		}
		d := Device{Address: from.String(), Endpoint: clean(m.Endpoint)}
		d.place(strings.Fields(m.XAddrs), from)
		d.describe(strings.Fields(m.Scopes))
		devices = append(devices, d)
	}
	return devices
}

// place sets where the device service is: at the address from which the device answered, since those that it names may be of
// networks that are not reachable from here.
func (d *Device) place(services []string, from netip.Addr) {
	u := &url.URL{Scheme: "http", Path: devicePath}
	for i, s := range services {
		named, err := url.Parse(s)
		if err != nil || named.Scheme != "http" && named.Scheme != "https" || named.Host == "" {
			continue
		}
		same := named.Hostname() == from.String()
		if i == 0 || same {
			u = &url.URL{Scheme: named.Scheme, Host: named.Host, Path: named.Path}
		}
		if same {
			break
		}
	}
	d.Port = 80
	if u.Scheme == "https" {
		d.Port = 443
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil && port != 0 {
		d.Port = uint16(port)
	}
	u.Host = hostPort(from.String(), u.Port())
	d.URL = clean(u.String())
}

// describe takes what the scopes say: "onvif://www.onvif.org/name/Front%20door".
func (d *Device) describe(scopes []string) {
	for _, s := range scopes {
		rest, ok := strings.CutPrefix(s, "onvif://www.onvif.org/")
		if !ok {
			continue
		}
		kind, value, _ := strings.Cut(rest, "/")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		for _, to := range []struct {
			kind string
			to   *string
		}{{"name", &d.Name}, {"hardware", &d.Model}, {"location", &d.Location}, {"serial", &d.Serial}} {
			if strings.EqualFold(kind, to.kind) && *to.to == "" {
				*to.to = clean(value)
			}
		}
	}
}

// hostPort joins a host and a port, which may be "".
func hostPort(host, port string) string {
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
