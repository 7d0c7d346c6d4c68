package redact

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Secrets are those of one camera's URL. A camera, or a server in its place, may send back what it was sent, in any form, so
// each is looked for as it is, percent-encoded, escaped as in Go, JSON and HTML, in base64 at any alignment, and in hexadecimal.
type Secrets struct {
	written *regexp.Regexp // however they are written; nil where there are none
	encoded []string       // what nothing that is decoded may hold
}

// shortest is how long a secret is at least that is looked for by itself in what looks like base64 or hexadecimal. A shorter one
// would be found in innocent words; it is looked for together with the user name.
const shortest = 4

// Of returns the secrets of a camera's URL, which need not be a valid one.
func Of(rawURL string) *Secrets {
	s := &Secrets{}
	var forms []string
	for _, secret := range secretsOf(rawURL) {
		forms = append(forms, pattern(secret.text))
		if secret.text != "" && len(secret.text) >= shortest {
			s.encoded = append(s.encoded, secret.text)
		} else if secret.user != "" {
			s.encoded = append(s.encoded, secret.user+":"+secret.text)
		}
	}
	if len(forms) > 0 {
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // the first that matches is taken
		s.written = regexp.MustCompile(strings.Join(forms, "|"))
	}
	return s
}

type secret struct {
	text string
	user string // its user name, where it is a password
}

var parameter = regexp.MustCompile(`(?i)(?:pass|password|passwd|pwd|token|secret|key|auth)=([^&;/?#]+)`)

// secretsOf returns what of a URL must not be shown, both as it stands there and decoded.
func secretsOf(rawURL string) (found []secret) {
	add := func(text, user string) {
		for _, x := range []string{text, unescape(text)} {
			if x != "" && utf8.ValidString(x) && !slices.Contains(found, secret{x, user}) {
				found = append(found, secret{x, user})
			}
		}
	}
	_, rest, _ := strings.Cut(rawURL, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, password, _ := strings.Cut(rest[:i], ":")
		add(password, unescape(user))
		rest = rest[i+1:]
	}
	if _, query, ok := strings.Cut(rest, "?"); ok {
		add(query, "")
	}
	for _, m := range parameter.FindAllStringSubmatch(rest, -1) {
		add(m[1], "")
	}
	return found
}

func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// pattern matches a text in which each character may be written as it is, percent-encoded, or escaped.
func pattern(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(`(?:\\?` + regexp.QuoteMeta(string(r)))
		percent := ""
		for _, c := range []byte(string(r)) {
			percent += fmt.Sprintf("%%(?i:%02x)", c)
		}
		fmt.Fprintf(&b, `|%s|\\(?i:u%04x)`, percent, r)
		if r < 0x80 {
			fmt.Fprintf(&b, `|\\x(?i:%02x)`, r)
		}
		switch r {
		case ' ':
			b.WriteString(`|\+`)
		case '&':
			b.WriteString(`|&amp;`)
		case '<':
			b.WriteString(`|&lt;`)
		case '>':
			b.WriteString(`|&gt;`)
		case '"':
			b.WriteString(`|&quot;|&#34;`)
		case '\'':
			b.WriteString(`|&#39;|&apos;`)
		}
		b.WriteString(`)`)
	}
	return b.String()
}

var (
	base64Run = regexp.MustCompile(`(?:[A-Za-z0-9+/_-]|%2[BbFf]|\\/|\\u00(?i:2b|2f)){4,}(?:=|%3[Dd])*`)
	hexRun    = regexp.MustCompile(`[0-9A-Fa-f]{8,}`)
)

// Hide returns text with the secrets in it hidden.
func (s *Secrets) Hide(text string) string {
	if s.written == nil {
		return text
	}
	text = s.written.ReplaceAllString(text, Hidden)
	if len(s.encoded) == 0 {
		return text
	}
	text = hexRun.ReplaceAllStringFunc(text, func(run string) string {
		for from := range 2 {
			even := run[from:]
			decoded, err := hex.DecodeString(even[:len(even)&^1])
			if err == nil && s.in(string(decoded)) {
				return Hidden
			}
		}
		return run
	})
	return base64Run.ReplaceAllStringFunc(text, func(run string) string {
		for decoded := range decodings(run) {
			if s.in(decoded) {
				return Hidden // all of it: what begins or ends within a character tells of it too
			}
		}
		return run
	})
}

func (s *Secrets) in(decoded string) bool {
	return slices.ContainsFunc(s.encoded, func(secret string) bool { return strings.Contains(decoded, secret) })
}

// Error returns err with the secrets hidden in its message.
func (s *Secrets) Error(err error) error {
	if err == nil {
		return nil
	}
	msg := s.Hide(err.Error())
	if msg == err.Error() {
		return err
	}
	return redactedError{msg, err}
}

// redactedError answers errors.Is like the error that it hides, but does not give it out.
type redactedError struct {
	msg    string
	hidden error
}

func (e redactedError) Error() string        { return e.msg }
func (e redactedError) Is(target error) bool { return errors.Is(e.hidden, target) }

// Logger returns a logger that writes to log with the secrets hidden in texts and errors.
func (s *Secrets) Logger(log *slog.Logger) *slog.Logger {
	if s.written == nil {
		return log
	}
	return slog.New(handler{log.Handler(), s})
}

type handler struct {
	slog.Handler
	s *Secrets
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	hidden := slog.NewRecord(r.Time, r.Level, h.s.Hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		hidden.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, hidden)
}

func (h handler) attr(a slog.Attr) slog.Attr {
	switch a.Value = a.Value.Resolve(); a.Value.Kind() {
	case slog.KindString, slog.KindAny:
		shown := a.Value.String()
		if safe := h.s.Hide(shown); safe != shown {
			a.Value = slog.StringValue(safe)
		}
	}
	return a
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	hidden := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		hidden[i] = h.attr(a)
	}
	return handler{h.Handler.WithAttrs(hidden), h.s}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name), h.s} }
