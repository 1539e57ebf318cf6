package signature

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// composedSchemes are the schemes that sign a text which is composed in Go, without eBay's.
var composedSchemes = map[string]composedRules{
	"hook0": {list: []string{"v1", "v0"}, compose: composeHook0, write: writeHook0},
	"contentful": {headers: []string{contentfulSigned}, compose: composeContentful, write: func(c *composition, _ string) http.Header {
		return http.Header{"X-Contentful-Timestamp": {c.t}, contentfulSigned: {"x-contentful-signed-headers,x-contentful-timestamp"}}
	}},
	"hygraph": {list: []string{"sign"}, compose: composeHygraph, write: func(c *composition, _ string) http.Header {
		c.fields = map[string]string{"env": "master"}
		c.frame = [2]string{"sign=", ", env=master, t=" + c.t}
		return http.Header{}
	}},
	"nowpayments": {compose: composeNOWPayments},
}

// writeHook0 has the ID signed, where there is one.
func writeHook0(c *composition, id string) http.Header {
	if id == "" {
		c.frame[0] = "t=" + c.t + ",v0="
		return http.Header{}
	}
	c.fields = map[string]string{"h": "x-event-id", "v1": ""}
	c.frame[0] = "t=" + c.t + ",h=x-event-id,v1="
	return http.Header{"X-Event-Id": {id}}
}

// composeHook0 joins time, certain headers and body (v1), or, where that signature is missing, time and body (v0).
func composeHook0(_ *composed, c *composition, r *Request) error {
	var varying []byte
	if _, ok := c.fields["v1"]; ok {
		names := strings.Fields(c.fields["h"])
		if len(names) == 0 || len(names) > maxCandidates {
			return malformed("X-Hook0-Signature", "lists no headers, or too many")
		}
		varying = append(varying, c.fields["h"]...)
		for _, name := range names {
			value, err := soleHeader(r.Header, http.CanonicalHeaderKey(name))
			if err != nil {
				return err
			}
			varying = append(append(varying, '.'), value...)
		}
		c.ids = slices.Contains(names, "x-event-id")
		varying = append(varying, '.')
	}
	c.content = [][]byte{varying, r.Body}
	c.text = [][]byte{[]byte(c.t + "."), varying, r.Body}
	return nil
}

// contentfulSigned is the header that lists the signed ones.
const contentfulSigned = "X-Contentful-Signed-Headers"

func newContentful(r *row, c Config) (scheme, error) {
	if c.URL == "" {
		return nil, badOption("url", "the scheme contentful signs the public URL, so it has to be given")
	}
	if err := r.checkURL(c.URL); err != nil {
		return nil, err
	}
	for i, secret := range c.Secrets {
		if len(secret) != 64 {
			return nil, badSecret(i, "a signing secret of Contentful has 64 characters")
		}
	}
	return newComposed(r, c)
}

// composeContentful joins method, address, the headers that one header lists, and body, each on a line.
func composeContentful(s *composed, c *composition, r *Request) error {
	const stamp = "x-contentful-timestamp"
	names := strings.Split(strings.ToLower(r.Header.Get(contentfulSigned)), ",")
	if len(names) > 2*maxCandidates || !slices.Contains(names, stamp) || !slices.Contains(names, "x-contentful-signed-headers") {
		return malformed(contentfulSigned, "does not list itself and the timestamp, or too many")
	}
	slices.Sort(names)
	var lines, untimed []string
	for _, name := range names {
		value, err := soleHeader(r.Header, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		if err != nil {
			return err
		}
		line := strings.TrimSpace(name) + ":" + strings.TrimSpace(value)
		lines = append(lines, line)
		if name != stamp {
			untimed = append(untimed, line)
		}
	}
	u := publicURL(s.url, r.URL)
	if len(u) > maxURL {
		return malformed("the URL", "is too long")
	}
	_, _, _, path := cutURL(u)
	join := func(headers []string) [][]byte {
		return [][]byte{[]byte(r.Method + "\n" + cmp.Or(path, "/") + "\n" + strings.Join(headers, ";") + "\n"), r.Body}
	}
	c.text, c.content = join(lines), join(untimed)
	return nil
}

// composeHygraph prints a JSON object of the body as a string, the environment's name and the time.
func composeHygraph(_ *composed, c *composition, r *Request) error {
	if len(r.Body) > maxParsed || slices.ContainsFunc(r.Body, notInJSON) {
		return malformed("the body", "is no JSON, or too large")
	}
	text, ok := appendJSString([]byte(`{"Body":`), r.Body)
	if !ok {
		return errMismatch
	}
	if text, ok = appendJSString(append(text, `,"EnvironmentName":`...), []byte(c.fields["env"])); !ok {
		return errMismatch
	}
	c.content = [][]byte{text}
	c.text = [][]byte{text, []byte(`,"TimeStamp":` + strconv.FormatInt(c.ms, 10) + `}`)}
	return nil
}

// notInJSON reports whether a byte is a control character that no JSON text has. JavaScript would print each as six characters.
func notInJSON(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }

// maxSorted bounds a body that is parsed and printed anew before its signature is known, in bytes. Payment notices have some 2 KiB.
const maxSorted = 16 << 10

// composeNOWPayments prints the JSON with sorted members.
func composeNOWPayments(_ *composed, c *composition, r *Request) error {
	if len(r.Body) > maxSorted || distinctNames(r.Body, maxNames) != nil {
		return malformed("the body", "is not JSON with distinct names, or is too large")
	}
	text, ok := sortedJSON(r.Body)
	if !ok {
		return malformed("the body", "is not JSON")
	}
	c.text, c.content = [][]byte{text}, [][]byte{text}
	return nil
}

// ebay is the scheme of eBay, whose header is a JSON object in base64 with the key's ID and the signature.
type ebay struct {
	*generic
}

func newEBay(preset *row, c Config) (scheme, error) {
	if c.Options["jwks_pem"] == "" {
		return nil, badOption("jwks_pem", "the scheme ebay needs the public keys: eBay gives them to applications only")
	}
	r := *preset
	r.header, r.kidHeader = "Signature", "Kid"
	c.Secrets = nil // the secret is the verification token, which signs nothing
	g, err := newGeneric(&r, c)
	if err != nil {
		return nil, err
	}
	return &ebay{g}, nil
}

// inner returns ID and signature as two headers, for the scheme that the row describes.
func (s *ebay) inner(h http.Header) (http.Header, error) {
	const name = "X-Ebay-Signature"
	value, err := soleHeader(h, name)
	if err != nil {
		return nil, err
	}
	text, err := strictBase64.DecodeString(value)
	if err != nil || strings.ContainsAny(value, "\r\n") || distinctNames(text, maxNames) != nil {
		return nil, malformed(name, "is not a JSON object in base64")
	}
	kid, ok1 := Field(text, "/kid")
	signature, ok2 := Field(text, "/signature")
	if !ok1 || !ok2 {
		return nil, malformed(name, "has no key ID or no signature")
	}
	return http.Header{"Kid": {kid}, "Signature": {signature}}, nil
}

func (s *ebay) check(h http.Header, now time.Time) error {
	own, err := s.inner(h)
	if err != nil {
		return err
	}
	return s.generic.check(own, now)
}

func (s *ebay) verify(r *Request, now time.Time) (Result, error) {
	own, err := s.inner(r.Header)
	if err != nil {
		return Result{}, err
	}
	return s.generic.verify(&Request{Method: r.Method, URL: r.URL, Header: own, Body: r.Body}, now)
}
