package signature

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// webToken is a parsed token, which is not verified yet.
type webToken struct {
	jws    *jose.JSONWebSignature
	text   string // as it came
	claims map[string]json.RawMessage
	kid    string
}

func (s *jwtScheme) check(h http.Header, now time.Time) error {
	if s.rules.inBody {
		return nil
	}
	text, err := s.text(h)
	if err != nil || s.rules.detached {
		return err
	}
	t, err := s.parse(text, nil)
	if err != nil {
		return err
	}
	return s.checkTimes(t, now)
}

// text returns the token in the header.
func (s *jwtScheme) text(h http.Header) (string, error) {
	value, err := soleHeader(h, s.header)
	if err != nil {
		return "", err
	}
	if len(s.rules.prefixes) == 0 {
		return value, nil
	}
	for _, word := range s.rules.prefixes {
		if len(value) > len(word) && strings.EqualFold(value[:len(word)], word) {
			return value[len(word):], nil
		}
	}
	return "", malformed(s.header, "does not begin with "+strings.TrimSpace(s.rules.prefixes[0]))
}

// parse parses a token. body is its payload, where that is left out of it.
func (s *jwtScheme) parse(text string, body []byte) (*webToken, error) {
	bad := malformed("the token", "is not one of the scheme's form and algorithm")
	if len(text) > s.maxToken() || !canonicalToken(text) {
		return nil, bad
	}
	t := webToken{text: text}
	var err error
	if s.rules.detached {
		if len(body) > maxParsed {
			return nil, malformed("the body", "is too large") // it is copied and encoded to be verified
		}
		if !strings.Contains(text, "..") {
			return nil, malformed("the token", "has a payload of its own, which would not be the body")
		}
		t.jws, err = jose.ParseDetached(text, body, s.rules.algs)
	} else {
		t.jws, err = jose.ParseSignedCompact(text, s.rules.algs)
	}
	if err != nil || len(t.jws.Signatures) != 1 {
		return nil, bad
	}
	t.kid = t.jws.Signatures[0].Protected.KeyID
	if s.rules.detached {
		return &t, nil
	}
	payload := t.jws.UnsafePayloadWithoutVerification()
	if len(payload) > maxHeader && !s.rules.inBody {
		return nil, bad
	}
	if json.Unmarshal(payload, &t.claims) != nil || (!s.rules.inBody && distinctNames(payload, maxNames) != nil) {
		return nil, bad
	}
	if !t.isText("iss") || !t.isText(s.rules.bodyHash) || s.symmetric() && !s.keys[0].fitsLength(len(t.jws.Signatures[0].Signature)) {
		return nil, bad
	}
	return &t, nil
}

// canonicalToken reports whether a text has three parts in canonical base64url.
func canonicalToken(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") {
		return false
	}
	for _, part := range parts {
		if _, err := strictBase64URL.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

// maxToken bounds the token, in bytes.
func (s *jwtScheme) maxToken() int {
	if s.rules.inBody {
		return maxParsed
	}
	return maxHeader
}

// checkTimes checks the token's own times: exp and nbf whatever the tolerance is, and iat by the tolerance. A time that can't be read bounds
// nothing, so its token is refused.
func (s *jwtScheme) checkTimes(t *webToken, now time.Time) error {
	expires, hasExpiry, err := t.claimTime("exp")
	switch {
	case err != nil:
		return err
	case s.rules.mustExpire && !hasExpiry:
		return malformed("the token", "never expires")
	case hasExpiry && now.Unix() >= expires:
		return errStale
	}
	switch since, ok, err := t.claimTime("nbf"); {
	case err != nil:
		return err
	case ok && now.Unix() < since:
		return errPremature
	}
	if !s.rules.checkIssuedAt || s.window.off {
		return nil
	}
	at, ok, err := t.claimTime("iat")
	switch {
	case err != nil:
		return err
	case !ok:
		return missing("the time iat in the token")
	}
	return s.window.check(at*1000, 1000, now)
}

// lastSecond is as late as a claim can be, in s since 1970: the year 9999.
const lastSecond = 253402300799

// claimTime returns a claim in whole seconds since 1970, and whether there is one: a NumericDate of RFC 7519, 2, which may have a fraction.
func (t *webToken) claimTime(name string) (seconds int64, ok bool, err error) {
	raw, ok := t.claims[name]
	if !ok {
		return 0, false, nil
	}
	var number *float64
	if json.Unmarshal(raw, &number) != nil || number == nil {
		return 0, false, malformed("the token", "has no number of seconds as "+name)
	}
	return int64(math.Floor(min(max(*number, 0), lastSecond))), true, nil
}

// isText reports whether a claim is a string, or not there.
func (t *webToken) isText(name string) bool {
	raw, ok := t.claims[name]
	return !ok || len(raw) > 0 && raw[0] == '"'
}

// claimStrings returns the strings of a claim: of a list, or the only one.
func (t *webToken) claimStrings(name string) []string {
	var text string
	if json.Unmarshal(t.claims[name], &text) == nil && t.claims[name] != nil {
		return []string{text}
	}
	var list []string
	_ = json.Unmarshal(t.claims[name], &list)
	return list
}

// claimString returns a claim that is a string, empty for any other.
func (t *webToken) claimString(name string) string {
	if words := t.claimStrings(name); len(words) == 1 && t.isText(name) {
		return words[0]
	}
	return ""
}
