package recorder

import (
	"errors"
	"net/url"
	"strings"
)

// redactURL returns a camera's URL for errors and logs: without user name, password and query, and without a path that
// looks like holding parameters, as some cameras take their password there. It is made for URLs that are not valid, too,
// where a password may stand anywhere.
func redactURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "(without rtsp://)"
	}
	hidden := scheme + "://…"
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if strings.ContainsAny(rest[:i], "?#") {
			return hidden // the @ may belong to a query
		}
		rest = rest[i+1:]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil {
		return hidden
	}
	shown := scheme + "://" + u.Host
	switch {
	case strings.ContainsAny(u.Path, "=&;"):
		shown += "/…"
	default:
		shown += u.EscapedPath()
	}
	return shown
}

// hideSecrets returns err with the secrets of a camera's URL starred out of its message, should they be there. Errors of
// net/url and gortsplib may quote URLs.
func hideSecrets(err error, rawURL string) error {
	if err == nil {
		return nil
	}
	msg := err.Error()
	for _, secret := range secrets(rawURL) {
		msg = strings.ReplaceAll(msg, secret, "***")
	}
	if msg == err.Error() {
		return err
	}
	return redactedError{msg, err}
}

// secrets returns what of a camera's URL must not be shown, in each way in which it may be written.
func secrets(raw string) []string {
	_, rest, _ := strings.Cut(raw, "://")
	var found []string
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		_, password, _ := strings.Cut(rest[:i], ":")
		found = append(found, password)
		if plain, err := url.PathUnescape(password); err == nil {
			found = append(found, plain, strings.TrimPrefix(url.UserPassword("", plain).String(), ":"))
		}
		rest = rest[i+1:]
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		found = append(found, query)
	}
	nonEmpty := found[:0]
	for _, s := range found {
		if s != "" {
			nonEmpty = append(nonEmpty, s)
		}
	}
	return nonEmpty
}

// redactedError answers errors.Is like the error that it hides, but does not give it out.
type redactedError struct {
	msg    string
	hidden error
}

func (e redactedError) Error() string        { return e.msg }
func (e redactedError) Is(target error) bool { return errors.Is(e.hidden, target) }
