package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

func (g *generic) verify(r *Request, now time.Time) (Result, error) {
	c, err := g.claims(r.Header, now)
	if err != nil {
		return Result{}, err
	}
	return g.authenticate(&c, r, now)
}

// authenticate verifies a request whose headers have these claims.
func (g *generic) authenticate(c *claims, r *Request, now time.Time) (Result, error) {
	var err error
	m := message{body: r.Body, t: c.t, id: c.id, method: r.Method}
	urls := g.urls(r)
	if g.borders.bodyEnd && len(r.Body) > 0 && isDigit(r.Body[len(r.Body)-1]) {
		return Result{}, malformed("the body", "ends in a digit, which could be the timestamp's")
	}
	if len(urls[0]) > maxURL {
		return Result{}, malformed("the URL", "is too long")
	}
	if g.payload.uses["query"] && !parsable(urls[0]) {
		return Result{}, malformed("the query", "can't be parsed")
	}
	if g.form != nil {
		if m.form, err = g.form(r, urls[0]); err != nil {
			return Result{}, err
		}
	}
	matched := -1
	if g.ring != nil {
		if matched, err = g.matchesNamed(r.Header, c, &m, now); err != nil {
			return Result{}, err
		}
	}
	for i := 0; i < len(g.keys) && matched < 0; i++ {
		for _, m.url = range urls {
			if g.matches(&g.keys[i], c, &m) {
				matched = i
				break
			}
		}
	}
	if matched < 0 {
		return Result{}, errMismatch
	}
	t, err := g.bodyTime(c, r.Body, now)
	if err != nil {
		return Result{}, err
	}
	res := Result{Secret: matched, Timestamp: t, BodySigned: g.payload.signsBody()}
	if g.payload.signsURL() {
		res.URLSigned = m.url // in the spelling that was signed
	}
	res.Content = g.signedContent(&m)
	g.identify(&res, c, r)
	res.NoID, res.NoDigest = g.noID, g.noDigest
	if g.repeatsRequests != nil && res.ID != "" {
		res.NoDigest = g.repeatsRequests(m.url, m.form)
	}
	return res, nil
}

// maxURL bounds the URLs that are parsed or hashed before the signature is verified, in bytes: twice what servers commonly accept.
const maxURL = 16 << 10

// urls returns the spellings of the public URL to try, the one as it came first.
func (g *generic) urls(r *Request) []string {
	if !g.payload.signsURL() {
		return noURL
	}
	u := publicURL(g.url, r.URL)
	if g.row.urls != nil && len(u) <= maxURL {
		return g.row.urls(u)
	}
	return []string{u}
}

var noURL = []string{""}

// parsable reports whether the query of a URL can be parsed.
func parsable(u string) bool {
	_, query, _ := strings.Cut(u, "?")
	_, err := url.ParseQuery(query)
	return err == nil
}

// matches reports whether any candidate is the key's signature of the message.
func (g *generic) matches(k *key, c *claims, m *message) bool {
	if k.token != "" {
		given := c.signature
		if g.alg == algBasic {
			text, err := strictBase64.DecodeString(given)
			if err != nil || strings.ContainsAny(given, "\r\n") {
				return false
			}
			given = string(text)
		}
		got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(k.token))
		return hmac.Equal(got[:], want[:]) // hashes are compared, so that the time does not show the length either
	}
	if c.usable == 1 && !g.labelFits(k, candidate{key: c.firstKey}) {
		return false
	}
	check := k.checker(&g.payload, m)
	defer check.release()
	if c.usable == 1 { // nearly always, and it is decoded already
		return check.matches(c.first.bytes())
	}
	left := k.maxChecks(len(m.body))
	it := g.syntax.walk(c.signature, g.sep)
	for e, more := it.next(); more; e, more = it.next() {
		var d decoded
		if !e.ok || !g.labelFits(k, e) || !g.decode(&d, e.value) {
			continue
		}
		if check.matches(d.bytes()) {
			return true
		}
		if left--; left <= 0 {
			break
		}
	}
	return false
}

// bodyTime checks the timestamp inside of the verified body and returns the timestamp that counts. One in a header or in the list, which
// isn't signed in such schemes, counts only where the body has none.
func (g *generic) bodyTime(c *claims, body []byte, now time.Time) (string, error) {
	if g.tsJSON == "" {
		return c.t, nil
	}
	text, ok := Field(body, g.tsJSON)
	if !ok {
		if c.t == "" {
			if g.window.off {
				return "", nil
			}
			return "", missing("the timestamp " + g.tsJSON + " in the body")
		}
		return c.t, g.window.check(c.ms, c.precision, now)
	}
	ms, precision, ok := g.jsonUnit.parse(text)
	if !ok {
		return "", malformed("the timestamp "+g.tsJSON+" in the body", "is not one of the scheme's form")
	}
	if g.tsKey != "" && !sameTime(c, ms, precision) {
		return "", &Error{ReasonMismatch, "the timestamp in " + g.sigHeader + " is not the signed body's"}
	}
	return text, g.window.check(ms, precision, now)
}

// sameTime reports whether the list's timestamp and the body's are at most a second apart: one of them may be in whole seconds.
func sameTime(c *claims, ms, precision int64) bool {
	coarse := max(c.precision, precision)
	d := c.ms/coarse - ms/coarse
	return d*coarse <= 1000 && d*coarse >= -1000
}

// identify fills in the event's ID and type.
func (g *generic) identify(res *Result, c *claims, r *Request) {
	switch {
	case g.idSigned:
		res.ID, res.IDSigned = c.id, true
	case g.idJSON != "" && (!g.borders.movable || json.Valid(r.Body)):
		// Where an attacker can move a border of the body, the rest of a document is no valid JSON.
		res.ID, res.IDSigned = Field(r.Body, g.idJSON)
		res.IDSigned = res.IDSigned && res.BodySigned
	}
	if res.ID == "" {
		res.ID = firstHeader(r.Header, g.ids)
	}
	res.Event = g.eventType(r.Header, r.Body, g.event)
}
