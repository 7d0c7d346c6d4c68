package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"

	"nvrfs/redact"
)

// withoutSecret returns the URL of a template whose secrets were not looked for: it is zero, and shows and has a host all the same.
// Where the host itself is to be looked for, it shows nothing.
func withoutSecret(template string, parse func(string, func(string) (string, error)) (URL, error)) URL {
	u, err := parse(template, func(string) (string, error) { return "x", nil })
	if err != nil {
		return URL{}
	}
	return URL{shown: u.shown}
}

// Host returns the host of the URL, without the port, or "" of the zero URL.
func (u URL) Host() string {
	parsed, err := url.Parse(u.shown)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

// hidden stands where a secret does.
const hidden = redact.Hidden

// A URL is that of a camera, of RTSP or ONVIF, which may hold secrets. However it is printed, logged or marshalled, it shows hidden for
// them; only Reveal returns them. The zero URL is no URL.
type URL struct {
	shown  string
	secret *string // a pointer, which fmt shows as an address wherever it cannot call Format
}

// String returns the URL without its secrets.
func (u URL) String() string { return u.shown }

// Reveal returns the URL as the camera must be asked for, with its secrets.
func (u URL) Reveal() string {
	if u.secret == nil {
		return ""
	}
	return *u.secret
}

// IsZero reports whether u is no URL.
func (u URL) IsZero() bool { return u.secret == nil }

// Format writes String whatever the verb, so that none reaches the secret.
func (u URL) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, u.shown) }

// LogValue returns String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.shown) }

// GoString returns String.
func (u URL) GoString() string { return u.shown }

// Equal reports whether u and v are the same URL, secrets included.
func (u URL) Equal(v URL) bool { return u.IsZero() == v.IsZero() && u.Reveal() == v.Reveal() }

// MarshalYAML returns String.
func (u URL) MarshalYAML() (any, error) { return u.shown, nil }

// MarshalJSON returns String as JSON.
func (u URL) MarshalJSON() ([]byte, error) { return json.Marshal(u.shown) }

// ParseURL returns the URL that template describes: rtsp or rtsps, with a host, where ${NAME} stands for what
// lookup returns for NAME.
//
// In front of the @ a value is percent-encoded, so that any password works as it is; elsewhere it is taken as it is.
// What was put in before the @ or after the host is shown as hidden, and so are passwords that stand in template.
//
// Errors quote neither template nor values.
func ParseURL(template string, lookup func(name string) (string, error)) (URL, error) {
	return parseURL(template, lookup, parseRTSP)
}

func parseURL(template string, lookup func(name string) (string, error), parse func(string) (*url.URL, error)) (URL, error) {
	revealed, shown, err := expand(template, lookup)
	if err != nil {
		return URL{}, err
	}
	full, err := parse(revealed)
	if err != nil {
		return URL{}, err
	}
	public, err := parse(shown)
	if err != nil {
		return URL{}, err
	}
	secret := full.String()
	return URL{shown: redact.Text(public.String()), secret: &secret}, nil
}

// The parts of a URL in which a value is placed differently.
type urlPart int

const (
	schemePart urlPart = iota // and host
	userPart
	pathPart // and query
)

// expand replaces each ${NAME} of template: by its value in revealed, and in shown by what may be seen of it.
func expand(template string, lookup func(string) (string, error)) (revealed, shown string, err error) {
	var full, public strings.Builder
	for rest := template; ; {
		before, after, found := strings.Cut(rest, "${")
		full.WriteString(before)
		public.WriteString(before)
		if !found {
			return full.String(), public.String(), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return "", "", errors.New("${ without its }; want ${NAME} or ${file:/path}")
		}
		value, err := lookup(name)
		if err != nil {
			return "", "", err
		}
		switch partBetween(full.String(), tail) {
		case schemePart:
			full.WriteString(value)
			public.WriteString(hostOf(value))
		case userPart:
			full.WriteString(percentEncode(value))
			public.WriteString(hidden)
		case pathPart:
			full.WriteString(value)
			public.WriteString(hidden)
		}
		rest = tail
	}
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}`)

// partBetween returns the part of a URL that lies between before, which is expanded, and after, which is not.
func partBetween(before, after string) urlPart {
	_, authority, found := strings.Cut(before, "://")
	switch {
	case !found:
		return schemePart
	case strings.ContainsAny(authority, "/?#"):
		return pathPart
	}
	after = placeholder.ReplaceAllString(after, "") // which may hold slashes that are none of the URL
	if end := strings.IndexAny(after, "/?#"); end >= 0 {
		after = after[:end]
	}
	if strings.Contains(after, "@") {
		return userPart
	}
	return schemePart
}

// hostOf returns what may be seen of value, the beginning of a URL or a whole one: its scheme and host.
func hostOf(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return value
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += hidden + "@"
	}
	shown += u.Host
	if u.Path != "" || u.RawQuery != "" {
		shown += "/" + hidden
	}
	return shown
}

// percentEncode encodes all but the unreserved characters (RFC 3986 2.3).
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// parseRTSP is url.Parse for RTSP, with errors that do not quote the URL.
func parseRTSP(s string) (*url.URL, error) {
	const example = "; want one such as rtsp://192.0.2.10/stream1"
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("not a URL; want one such as rtsp://user:${PASSWORD}@192.0.2.10/stream1, " +
			"where / ? # @ % in a name or password that stands in it are written %2F %3F %23 %40 %25")
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return nil, errors.New("not an RTSP URL" + example)
	case u.Hostname() == "":
		return nil, errors.New("a URL without a host" + example)
	case u.Fragment != "":
		return nil, errors.New("a # cannot stand in a URL; want %23 in its place")
	case u.User == nil && u.Port() != "" && strings.ContainsRune(u.Path+u.RawQuery, '@'):
		// Most likely the / or ? belongs to a password, and what looks like a port is its beginning.
		return nil, errors.New("the @ comes after a / or ?; in a name or password want them written %2F %3F, " +
			"in a path want the @ written %40")
	}
	return u, nil
}

// parseHTTP is url.Parse for the address of an ONVIF device, with errors that do not quote the URL.
func parseHTTP(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Fragment != "":
		return nil, errors.New("not the address of an ONVIF device; want " + onvifExample)
	case u.User == nil && u.Port() != "" && strings.ContainsRune(u.Path+u.RawQuery, '@'):
		return nil, errors.New("the @ comes after a / or ?; in a name or password want them written %2F %3F")
	}
	return u, nil
}

// environmentSecret returns the environment variable name.
func environmentSecret(name string, env func(string) (string, bool)) (string, error) {
	if !variableName.MatchString(name) {
		// Not quoted, since it may be a piece of a password.
		return "", errors.New("a ${…} that names nothing; want ${NAME}, an environment variable, or ${file:/path}")
	}
	value, ok := env(name)
	switch {
	case !ok:
		return "", fmt.Errorf("environment variable %s is not set; set it, or use ${file:/path}", name)
	case value == "":
		return "", fmt.Errorf("environment variable %s is empty; set it to the value", name)
	}
	return value, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ReadSecret returns the secret in the file at path, as ${file:PATH} does.
func ReadSecret(path string) (string, error) { return readSecretFile(path) }

// readSecretFile returns the content of the file at path without the line break at its end.
func readSecretFile(path string) (string, error) {
	const most = 4096
	info, err := os.Stat(path)
	if err != nil {
		return "", secretFileError(path, err)
	}
	if !info.Mode().IsRegular() { // others may wait for ever
		return "", secretFileError(path, errors.New("is not a regular file"))
	}
	if info.Size() > most {
		return "", secretFileError(path, fmt.Errorf("is longer than %d bytes", most))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", secretFileError(path, err)
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", secretFileError(path, errors.New("is empty"))
	}
	return value, nil
}

func secretFileError(path string, err error) error {
	return fmt.Errorf("secret file %s: %w; want a file that holds only the value", path, withoutPath(err))
}

// withoutPath returns err without the operation and path of an fs.PathError, for messages that name them already.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
