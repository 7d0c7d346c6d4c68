package onvif

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/icholy/digest"

	"nvrfs/redact"
)

const (
	devicePath    = "/onvif/device_service" // where ONVIF wants it
	callTimeout   = 10 * time.Second
	maxAnswer     = 1 << 20  // bytes of a body
	maxHeaders    = 64 << 10 // bytes
	maxIdleConns  = 2
	idleConnsLive = 30 * time.Second
)

// Options say which device a Client asks, and as whom. Only Address must be set.
type Options struct {
	Address   string // a host, host:port, or the URL of the device service
	User      string // nobody where empty
	Password  string
	TLSConfig *tls.Config // for https://; where nil, the camera needs a certificate that the host trusts
}

// A Client asks one ONVIF device. Its methods may be called from several goroutines.
type Client struct {
	o       Options
	base    *url.URL     // of the device service
	http    *http.Client // as the user
	plain   *http.Client // as nobody
	secrets *redact.Secrets

	// Set by Open, and never changed.
	ahead    time.Duration // by how much the camera's clock is ahead of this host's
	hasClock bool
	services map[string]*url.URL // by the namespace of a service
}

// Open asks a device for its time, and which services it has. The caller must Close the Client.
func Open(ctx context.Context, o Options) (*Client, error) {
	base, err := parseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: callTimeout}).DialContext,
		TLSClientConfig:        o.TLSConfig,
		TLSHandshakeTimeout:    callTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		MaxIdleConnsPerHost:    maxIdleConns,
		IdleConnTimeout:        idleConnsLive,
	}
	own := url.URL{Scheme: "http", Host: base.Host, User: url.UserPassword(o.User, o.Password)}
	c := &Client{o: o, base: base, secrets: redact.Of(own.String())}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.plain = &http.Client{Transport: limited{transport}, CheckRedirect: stay}
	c.http = c.plain
	if o.User != "" {
		c.http = &http.Client{Transport: &digest.Transport{Username: o.User, Password: o.Password, Transport: limited{transport}}, CheckRedirect: stay}
	}
	if err := c.takeTime(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.findServices(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.plain.CloseIdleConnections() }

// Clock returns by how much the camera's clock was ahead of this host's when the Client was opened, if the camera told.
func (c *Client) Clock() (ahead time.Duration, ok bool) { return c.ahead, c.hasClock }

// URL returns the URL of the device service.
func (c *Client) URL() string { return c.base.String() }

// Host returns the host that is asked, without port.
func (c *Client) Host() string { return c.base.Hostname() }

// Has reports whether the device has the service of a namespace.
func (c *Client) Has(service string) bool { return c.services[service] != nil }

// limited bounds what a body may have.
type limited struct{ *http.Transport }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.Transport.RoundTrip(req)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer+1), res.Body}
	}
	return res, err
}

// parseAddress returns the URL of a device service.
func parseAddress(address string) (*url.URL, error) {
	bad := func() error {
		return fmt.Errorf("%q is no address of a camera; want one such as 192.0.2.10, camera.local:8000 or http://192.0.2.10/onvif/device_service", redact.Text(address))
	}
	s := address
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		s = "[" + s + "]"
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Host, " <>") {
		return nil, bad()
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = devicePath
	}
	u.Fragment = ""
	return u, nil
}

// at returns where a request for an address that the device gave is sent: to the host that the caller named, whatever host the device
// names, because the password is for that one alone, and because devices name addresses that are not reachable from here. The port
// is the device's where the host is the same.
func (c *Client) at(named string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(named))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the camera names a service at an address that is no URL: %q", clean(named))
	}
	host := c.base.Host
	if strings.EqualFold(u.Hostname(), c.base.Hostname()) && u.Scheme == c.base.Scheme {
		host = u.Host
	}
	return &url.URL{Scheme: c.base.Scheme, Host: host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, nil
}

// A Request is a call of SOAP.
type Request struct {
	Service string        // the namespace of the service
	URL     string        // an address that the device gave, such as that of a subscription, in place of the service's
	Action  string        // of SOAP
	Header  string        // XML, in the header of the envelope
	Body    string        // XML
	Timeout time.Duration // 10 s where 0

	nobody bool // without user name and password
}

// Call sends a request, with the user name and a digest of the password. It reads the answer into a struct whose fields have the names
// of the elements below the body of the envelope ("GetProfilesResponse>Profiles"). answer is nil where nothing is to be read.
//
// A refusal is a *Fault or ErrRefused.
func (c *Client) Call(ctx context.Context, r Request, answer any) error {
	to := c.base
	switch at, ok := c.services[r.Service]; {
	case r.URL != "":
		var err error
		if to, err = c.at(r.URL); err != nil {
			return err
		}
	case ok:
		to = at
	}
	timeout := cmp.Or(r.Timeout, callTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	err := c.send(ctx, to, r, answer)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s at %s: %w", path.Base(r.Action), to.Host, c.secrets.Error(err))
	}
	return nil
}

func (c *Client) send(ctx context.Context, to *url.URL, r Request, answer any) error {
	header, client := r.Header, c.http
	if r.nobody {
		client = c.plain
	} else if c.o.User != "" {
		header = security(c.o.User, c.o.Password, time.Now().Add(c.ahead)) + header
	}
	text := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">`+
		`<s:Header>%s</s:Header><s:Body>%s</s:Body></s:Envelope>`, header, r.Body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader([]byte(text)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", `application/soap+xml; charset=utf-8; action="`+r.Action+`"`)
	req.Header.Set("User-Agent", "nvrfs")
	res, err := client.Do(req)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // without the URL, which Call says
		}
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil && res.StatusCode != http.StatusUnauthorized { // the body of which is gone where its challenge could not be answered
		return fmt.Errorf("read the camera's answer: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the camera's answer is longer than %d bytes", maxAnswer)
	}
	return c.read(res, body, answer)
}

// read reads an answer. Where the status says that there is none, it returns why.
func (c *Client) read(res *http.Response, body []byte, answer any) error {
	err := parseAnswer(body, answer)
	var fault *Fault
	isFault := errors.As(err, &fault)
	switch code := res.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden || isFault && fault.unauthorized():
		return c.refused(res)
	case isFault, code == http.StatusOK:
		return err
	case code >= 300 && code < 400:
		where := res.Header.Get("Location")
		return fmt.Errorf("the camera sends on to %s; give that address", redact.Text(clean(where)))
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return fmt.Errorf("there is no ONVIF service at that address (%s); see whether ONVIF is switched on at the camera, and at which port", clean(res.Status))
	default:
		return fmt.Errorf("the camera answers with HTTP status %s", clean(res.Status))
	}
}

// refused says why the camera refuses.
func (c *Client) refused(res *http.Response) error {
	offers := strings.ToLower(strings.Join(res.Header.Values("WWW-Authenticate"), ", "))
	digest := strings.Contains(offers, "digest")
	switch {
	case c.o.User == "":
		return fmt.Errorf("%w to answer without a user name and a password", ErrRefused)
	case strings.Contains(offers, "basic") && !digest:
		return fmt.Errorf("%w to authenticate by digest and offers only Basic, which would send the password readable; set it to digest", ErrRefused)
	case digest && res.Request.Header.Get("Authorization") == "":
		return fmt.Errorf("%w all but a kind of digest that is not known here; set it to digest with MD5 or SHA-256: %s", ErrRefused, clean(offers))
	default:
		return fmt.Errorf("%w the user name or password; many cameras have users of their own for ONVIF", ErrRefused)
	}
}
