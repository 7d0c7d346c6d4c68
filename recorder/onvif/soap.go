package onvif

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // which WS-UsernameToken prescribes
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// maxText is how many characters are kept of a text that a device sends.
const maxText = 200

// ErrRefused says that the camera refuses the user name or the password, or asks for them where there are none.
var ErrRefused = errors.New("the camera refuses")

// A Fault is a refusal in the words of SOAP.
type Fault struct {
	Code   string // the innermost one, such as "ter:NotAuthorized"
	Reason string // for people, by the camera
}

func (f *Fault) Error() string {
	switch {
	case f.Reason == "":
		return "the camera answers with the fault " + f.Code
	case f.Code == "":
		return "the camera answers with the fault: " + f.Reason
	}
	return fmt.Sprintf("the camera answers with the fault %s: %s", f.Code, f.Reason)
}

// unauthorized reports whether the fault says that the camera wants another user name or password, or any.
func (f *Fault) unauthorized() bool {
	text := strings.ToLower(f.Code + " " + strings.ReplaceAll(f.Reason, " ", ""))
	for _, s := range []string{"notauthorized", "notauthorised", "failedauthentication", "unauthorized", "invalidsecurity"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

type envelope struct {
	Body struct {
		Fault *struct {
			Code struct {
				Value   string `xml:"Value"`
				Subcode *struct {
					Value   string `xml:"Value"`
					Subcode *struct {
						Value string `xml:"Value"`
					} `xml:"Subcode"`
				} `xml:"Subcode"`
			} `xml:"Code"`
			Reason string `xml:"Reason>Text"`
			Code11 string `xml:"faultcode"` // of SOAP 1.1
			Text11 string `xml:"faultstring"`
		} `xml:"Fault"`
		Content []byte `xml:",innerxml"`
	} `xml:"Body"`
}

// parseAnswer reads the body of an envelope into answer, or returns the fault that it is.
func parseAnswer(text []byte, answer any) error {
	var e envelope
	if err := unmarshal(text, &e); err != nil {
		return err
	}
	if f := e.Body.Fault; f != nil {
		fault := &Fault{Code: clean(f.Code.Value + f.Code11), Reason: clean(f.Reason + f.Text11)}
		if s := f.Code.Subcode; s != nil {
			fault.Code = clean(s.Value)
			if s.Subcode != nil {
				fault.Code = clean(s.Subcode.Value)
			}
		}
		return fault
	}
	if answer == nil {
		return nil
	}
	// Namespaces are not looked at, because devices get them wrong, so that it does not matter that those of the envelope are missing.
	return unmarshal(append(append([]byte("<Body>"), e.Body.Content...), "</Body>"...), answer)
}

// unmarshal reads XML of a device. encoding/xml knows no entities but the five of XML, and bounds the depth.
func unmarshal(text []byte, to any) error {
	d := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // what is not ASCII is for people alone
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("the camera's answer is no XML that can be read: %s", clean(err.Error()))
	}
	return nil
}

const (
	wsse    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	wsu     = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	wsToken = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
	wsNonce = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// security returns the header of a WS-UsernameToken with a digest (Web Services Security UsernameToken Profile 1.0, 3.1). The camera
// compares the time with its own clock.
func security(user, password string, now time.Time) string {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	created := now.UTC().Format("2006-01-02T15:04:05.000Z")
	h := sha1.New() //nolint:gosec // see above
	_, _ = h.Write(nonce)
	_, _ = io.WriteString(h, created+password)
	return fmt.Sprintf(`<wsse:Security s:mustUnderstand="1" xmlns:wsse="%s" xmlns:wsu="%s"><wsse:UsernameToken>`+
		`<wsse:Username>%s</wsse:Username><wsse:Password Type="%s">%s</wsse:Password>`+
		`<wsse:Nonce EncodingType="%s">%s</wsse:Nonce><wsu:Created>%s</wsu:Created></wsse:UsernameToken></wsse:Security>`,
		wsse, wsu, Escape(user), wsToken, base64.StdEncoding.EncodeToString(h.Sum(nil)),
		wsNonce, base64.StdEncoding.EncodeToString(nonce), created)
}

// Escape returns text as it stands in XML.
func Escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder never fails
	return b.String()
}

// clean returns a text of a device in one line, without control characters, which would reach terminals, and cut to a length.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxText {
		text = string(r[:maxText]) + "…"
	}
	return text
}
