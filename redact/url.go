package redact

import (
	"net/url"
	"strings"
)

// URL returns a camera's URL for errors and logs: without user name, password and query, and without a path that looks like
// holding parameters, as some cameras take their password there. It is made for URLs that are not valid, too, where a password
// may stand anywhere.
func URL(raw string) string {
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
