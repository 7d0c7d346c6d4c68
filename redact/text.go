package redact

import (
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	credentials   = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s/?#@:"']*):[^\s"'<>]*@`)
	queryPassword = regexp.MustCompile(`(?i)\b(pass|password|passwd|pwd|token|secret)=[^\s&;"'<>]+`)
	basicScheme   = regexp.MustCompile(`(?i)\bbasic[\s:="']+[a-z0-9+/_-]+=*`)
)

// Text returns s with everything in it hidden that looks like a password: user:password@ of URLs, the likes of password=, and
// what the Authorization header sends of the Basic scheme (RFC 7617).
func Text(s string) string {
	if strings.Contains(s, "://") {
		s = credentials.ReplaceAllString(s, "$1:"+Hidden+"@")
	}
	if strings.Contains(s, "=") {
		s = queryPassword.ReplaceAllString(s, "$1="+Hidden)
	}
	return basicScheme.ReplaceAllStringFunc(s, hideBasic)
}

// hideBasic hides what follows "Basic " if it is a name and a password, and not a word of a sentence.
func hideBasic(header string) string {
	i := strings.LastIndexAny(header, " \t\r\n:\"'") + 1
	if i == 0 {
		i = strings.IndexByte(header, '=') + 1
	}
	for decoded := range decodings(header[i:]) {
		if strings.Contains(decoded, ":") {
			return header[:i] + Hidden
		}
		break // the header begins where the encoding does
	}
	return header
}

var plainBase64 = strings.NewReplacer(
	"-", "+", "_", "/", "%2B", "+", "%2b", "+", "%2F", "/", "%2f", "/", "%3D", "", "%3d", "", "=", "",
	`\/`, "/", `\u002B`, "+", `\u002b`, "+", `\u002F`, "/", `\u002f`, "/",
)

// decodings decodes base64, of either alphabet, with or without padding, and percent-encoded or escaped, as if it began with
// each of its first four characters.
func decodings(s string) func(yield func(string) bool) {
	s = plainBase64.Replace(s)
	return func(yield func(string) bool) {
		for from := 0; from < 4 && from < len(s); from++ {
			whole := s[from:]
			if len(whole)%4 == 1 {
				whole = whole[:len(whole)-1] // which says nothing whole
			}
			decoded, err := base64.RawStdEncoding.DecodeString(whole)
			if err == nil && !yield(string(decoded)) {
				return
			}
		}
	}
}
