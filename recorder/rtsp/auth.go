package rtsp

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"nvrfs/recorder/guard"
)

// maxRenewals is how often a request is sent again in a row because its nonce is no good any more.
const maxRenewals = 3

// A login answers the challenges of one connection (RFC 7235, RFC 7616, RFC 7617).
type login struct {
	user *url.Userinfo // nil where the URL has none
	away string        // the host that the camera redirected to; user is not for it

	digestOnly bool // Basic is not answered, even where it is all that is offered

	challenge *challenge // which one requests answer now; nil before the first
	accepted  bool       // a request with it was answered
	tried     []string   // algorithms that the camera refused the password with
	count     int        // requests with the nonce
	refused   error      // why the camera's newest challenge was not answered
}

// A challenge is one way in which a camera asks for a password.
type challenge struct {
	scheme string // "digest" or "basic"
	params map[string]string
}

// name is what an algorithm is called, for people.
func (c *challenge) name() string {
	if c.scheme != "digest" {
		return c.scheme
	}
	name := "digest"
	if a := c.params["algorithm"]; a != "" {
		name += " with " + a
	}
	if q := c.params["qop"]; q != "" {
		name += " and qop " + q
	}
	return name
}

// hash returns that of a challenge's algorithm, and nil for one that is not known.
func (c *challenge) hash() func() hash.Hash {
	switch strings.TrimSuffix(strings.ToUpper(c.params["algorithm"]), "-SESS") {
	case "", "MD5":
		return md5.New
	case "SHA-256", "SHA256":
		return sha256.New
	}
	return nil
}

// qop returns the quality of protection to be used, which may be none, and whether there is one that is known.
func (c *challenge) qop() (string, bool) {
	offered := c.params["qop"]
	if offered == "" {
		return "", true
	}
	known := slices.ContainsFunc(strings.Split(offered, ","), func(q string) bool { return strings.EqualFold(strings.TrimSpace(q), "auth") })
	return "auth", known
}

// known reports whether the challenge can be answered.
func (c *challenge) known() bool {
	if c.scheme == "basic" {
		return true
	}
	_, ok := c.qop()
	return c.scheme == "digest" && ok && c.hash() != nil && c.params["nonce"] != ""
}

// again takes a challenge to a request, and reports whether it can be sent once more with what authorize then returns. renewed
// counts how often that happened in a row to the same request, which had an Authorization of this login or not.
func (l *login) again(headers []string, authorized bool, renewed int) bool {
	l.refused = nil
	offered := parseChallenges(headers)
	if l.away != "" {
		l.refused = fmt.Errorf("the camera redirects to %s, which asks for a password; the password is only sent to the host of the URL; write the other address into the configuration", l.away)
		return false
	}
	if l.user == nil {
		l.refused = errors.New("the camera asks for a user and a password; write them into the URL: the user, a colon, the password and an @, in front of the host")
		return false
	}
	if authorized && l.challenge != nil {
		if fresh := l.sameKind(offered); fresh != nil && renewed < maxRenewals && (strings.EqualFold(fresh.params["stale"], "true") ||
			l.accepted && fresh.params["nonce"] != l.challenge.params["nonce"]) {
			l.take(fresh)
			return true
		}
		l.tried = append(l.tried, l.challenge.algorithm())
	}
	next := l.choose(offered)
	if next == nil {
		l.refused = l.why(offered)
		return false
	}
	l.take(next)
	return true
}

func (c *challenge) algorithm() string { return c.scheme + strings.ToUpper(c.params["algorithm"]) }

func (l *login) take(c *challenge) { l.challenge, l.count, l.accepted = c, 0, false }

// sameKind returns the challenge of the algorithm that is in use.
func (l *login) sameKind(offered []*challenge) *challenge {
	for _, c := range offered {
		if c.algorithm() == l.challenge.algorithm() && c.scheme == "digest" && c.known() {
			return c
		}
	}
	return nil
}

// choose returns the first challenge of digest that can be answered and was not tried. Basic, which tells the password to whoever
// listens, is only for a camera that offers no digest at all.
func (l *login) choose(offered []*challenge) *challenge {
	digest := slices.ContainsFunc(offered, func(c *challenge) bool { return c.scheme == "digest" })
	for _, c := range offered {
		if c.known() && !slices.Contains(l.tried, c.algorithm()) && (c.scheme == "digest" || !digest && !l.digestOnly) {
			return c
		}
	}
	return nil
}

// why says why no challenge is answered.
func (l *login) why(offered []*challenge) error {
	if len(l.tried) > 0 {
		return errors.New("the camera refuses the user name or password")
	}
	var names []string
	for _, c := range offered {
		if c.scheme != "basic" || l.digestOnly { // which would be chosen if it were alone
			names = append(names, guard.Shorten(c.name(), maxCodecName))
		}
	}
	if len(names) == 0 {
		return errors.New("the camera wants a password, but does not say in which way it asks for it (401 without a challenge)")
	}
	return fmt.Errorf("the camera asks for the password by %q only; set it to digest with MD5 or SHA-256", strings.Join(names, ", "))
}

// answered notes an answer that is no challenge, to a request with an Authorization.
func (l *login) answered(info []string) {
	if l.challenge == nil {
		return
	}
	l.accepted, l.tried = true, nil
	for _, i := range info {
		if next := parseParams(i)["nextnonce"]; next != "" && next != l.challenge.params["nonce"] {
			l.challenge.params["nonce"], l.count = next, 0
		}
	}
}

// authorize returns the Authorization header of a request, and "" where the camera did not ask for one.
func (l *login) authorize(method, uri string) string {
	if l.challenge == nil {
		return ""
	}
	user, c := l.user.Username(), l.challenge
	password, _ := l.user.Password()
	if c.scheme == "basic" {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	sum := func(parts ...string) string {
		h := c.hash()()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	p := c.params
	qop, _ := c.qop()
	session := strings.HasSuffix(strings.ToUpper(p["algorithm"]), "-SESS")
	cnonce, nc, given := "", "", ""
	if qop != "" || session {
		cnonce = rand.Text()
		l.count++
		nc = fmt.Sprintf("%08x", l.count)
		given = fmt.Sprintf(`, cnonce="%s"`, cnonce)
	}
	secret := sum(user, p["realm"], password)
	if session {
		secret = sum(secret, p["nonce"], cnonce)
	}
	response := sum(secret, p["nonce"], sum(method, uri))
	if qop != "" {
		response = sum(secret, p["nonce"], nc, cnonce, qop, sum(method, uri))
		given += ", qop=" + qop + ", nc=" + nc
	}
	if a := p["algorithm"]; a != "" {
		given += ", algorithm=" + a
	}
	if o, ok := p["opaque"]; ok {
		given += `, opaque="` + escape(o) + `"`
	}
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"%s`,
		escape(user), escape(p["realm"]), escape(p["nonce"]), uri, response, given)
}

// escape writes text into a quoted string (RFC 7230 3.2.6).
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}

// token matches a parameter of a challenge, or else a word, which begins a challenge.
var token = regexp.MustCompile(`([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*))|([\w-]+)`)

// parseChallenges reads WWW-Authenticate headers, each of which may have several challenges.
func parseChallenges(headers []string) (out []*challenge) {
	for _, h := range headers {
		for _, m := range token.FindAllStringSubmatch(h, -1) {
			if m[4] != "" {
				out = append(out, &challenge{strings.ToLower(m[4]), map[string]string{}})
			} else if len(out) > 0 {
				out[len(out)-1].params[strings.ToLower(m[1])] = unquoted(m)
			}
		}
	}
	return out
}

// parseParams reads `name="value", name=value`. The names are in lower case.
func parseParams(text string) map[string]string {
	params := map[string]string{}
	for _, m := range token.FindAllStringSubmatch(text, -1) {
		params[strings.ToLower(m[1])] = unquoted(m)
	}
	return params
}

// unquoted returns the value of a token, without control characters.
func unquoted(m []string) string {
	value := strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(m[2]) + m[3]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value)
}
