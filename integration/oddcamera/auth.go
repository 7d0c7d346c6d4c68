package oddcamera

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// Auth is how a camera asks for its user and password.
type Auth struct {
	User, Password string
	// Challenges are the WWW-Authenticate headers, with NONCE for the nonce: `Digest realm="cam", nonce="NONCE"`.
	Challenges []string
	// NonceUses is how many requests a nonce is good for, after which the camera says stale=true; without end where 0.
	NonceUses int
	// Unchecked accepts every request with any Authorization header.
	Unchecked bool
}

// nonce is the one that a session gave out last.
type nonce struct {
	value string
	uses  int
	count int // of nonces
}

var parameter = regexp.MustCompile(`(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s]*))`)

func parameters(s string) map[string]string {
	m := map[string]string{}
	for _, p := range parameter.FindAllStringSubmatch(s, -1) {
		m[strings.ToLower(p[1])] = strings.ReplaceAll(p[2], `\"`, `"`) + p[3]
	}
	return m
}

// authorized reports whether a request may be answered. Else it makes the answer a challenge.
func (s *Session) authorized(req *Request, a *Answer) bool {
	auth := s.Camera.Case.Auth
	if auth == nil || req.Method == "OPTIONS" {
		return true
	}
	given := req.Header.Get("Authorization")
	if given != "" && auth.Unchecked {
		return true
	}
	good := s.nonce.value != "" && auth.verify(req, given, s.nonce.value)
	fresh := auth.NonceUses == 0 || s.nonce.uses < auth.NonceUses
	s.nonce.uses++
	if good && fresh {
		return true
	}
	a.Refuse("401 Unauthorized")
	s.nonce.count++
	s.nonce.uses, s.nonce.value = 0, fmt.Sprintf("%d-%d", s.N, s.nonce.count)
	for _, c := range auth.Challenges {
		line := "WWW-Authenticate: " + strings.ReplaceAll(c, "NONCE", s.nonce.value)
		if good {
			line += ", stale=true"
		}
		a.Lines = append(a.Lines, line)
	}
	return false
}

// verify checks an Authorization header by the challenge that it answers (RFC 7616, RFC 7617).
func (auth *Auth) verify(req *Request, given, nonce string) bool {
	scheme, rest, _ := strings.Cut(given, " ")
	got := parameters(rest)
	for _, challenge := range auth.Challenges {
		offered, rest, _ := strings.Cut(challenge, " ")
		want := parameters(rest)
		switch {
		case !strings.EqualFold(scheme, offered):
		case scheme == "Basic":
			if rest := strings.TrimPrefix(given, "Basic "); rest == base64.StdEncoding.EncodeToString([]byte(auth.User+":"+auth.Password)) {
				return true
			}
		case got["username"] == auth.User && got["realm"] == want["realm"] && got["nonce"] == nonce &&
			strings.EqualFold(got["algorithm"], want["algorithm"]) && got["uri"] == req.URL &&
			(want["qop"] == "") == (got["qop"] == "") && got["response"] == auth.response(req, got, want):
			return true
		}
	}
	return false
}

func (auth *Auth) response(req *Request, got, want map[string]string) string {
	hash := func(parts ...string) string {
		data := []byte(strings.Join(parts, ":"))
		if strings.HasPrefix(strings.ToUpper(want["algorithm"]), "SHA-256") {
			return fmt.Sprintf("%x", sha256.Sum256(data))
		}
		return fmt.Sprintf("%x", md5.Sum(data))
	}
	ha1 := hash(auth.User, want["realm"], auth.Password)
	if strings.HasSuffix(strings.ToLower(want["algorithm"]), "-sess") {
		ha1 = hash(ha1, got["nonce"], got["cnonce"])
	}
	ha2 := hash(req.Method, req.URL)
	if want["qop"] == "" {
		return hash(ha1, got["nonce"], ha2)
	}
	return hash(ha1, got["nonce"], got["nc"], got["cnonce"], got["qop"], ha2)
}
