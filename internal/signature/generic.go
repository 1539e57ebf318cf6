package signature

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// maxCandidates is how many signatures one header may have: more than any rotation of keys needs, and few enough to check them all.
const maxCandidates = 16

// generic is the scheme that a row describes.
type generic struct {
	*row
	keys    []key
	payload payload
	borders borders
	window  window
	url     string

	// The names of headers are canonical.
	sigHeader, tsHeader string
	idSigned            bool
	ids                 []string
	event               string
	fixed               []fixedHeader
	ring                *keyring // the keys that the header kidHeader names; nil where there is no such header
}

func newGeneric(r *row, c Config) (*generic, error) {
	ring, err := r.keyring(c)
	if err != nil {
		return nil, err
	}
	var keys []key
	if ring == nil || len(c.Secrets) > 0 {
		if keys, err = r.keys(c); err != nil {
			return nil, err
		}
	}
	for _, name := range r.fixedBy {
		if c.Options[name] == "" {
			return nil, badOption(name, "the scheme %s needs it", r.name)
		}
	}
	p, err := parsePayload(r.template, selectOptions(c.Options, r.fixedBy...))
	if err != nil {
		return nil, badOption("payload", "%v", err)
	}
	if p.signsURL() && c.URL == "" {
		return nil, badOption("url", "the scheme %s signs the public URL, so it has to be given", r.name)
	}
	if c.URL != "" {
		if err := r.checkURL(c.URL); err != nil {
			return nil, err
		}
	}
	g := &generic{
		row: r, keys: keys, payload: p, borders: r.borders(p), window: r.window(c), url: c.URL,
		sigHeader: textproto.CanonicalMIMEHeaderKey(r.header),
		tsHeader:  textproto.CanonicalMIMEHeaderKey(r.tsHeader),
		event:     textproto.CanonicalMIMEHeaderKey(r.eventHeader),
		idSigned:  p.uses["id"],
		ring:      ring,
	}
	for _, name := range r.idHeaders {
		g.ids = append(g.ids, textproto.CanonicalMIMEHeaderKey(name))
	}
	for _, f := range r.fixed {
		g.fixed = append(g.fixed, fixedHeader{textproto.CanonicalMIMEHeaderKey(f.name), f.value})
	}
	return g, nil
}

// claims are what the headers of a request say. Nothing of it is verified yet.
type claims struct {
	signature string  // the header's value without its prefix
	usable    int     // how many signatures of the right form it has
	first     decoded // the first of them
	firstKey  string
	t, id     string
	ms        int64 // t as an instant
	precision int64
}

func (g *generic) check(h http.Header, now time.Time) error {
	_, err := g.claims(h, now)
	return err
}

// claims reads the headers. Errors about missing and malformed headers come before one about the timestamp.
func (g *generic) claims(h http.Header, now time.Time) (claims, error) {
	var c claims
	if err := g.value(h, &c); err != nil {
		return c, err
	}
	for _, f := range g.fixed {
		value, err := soleHeader(h, f.name)
		if err != nil {
			return c, err
		}
		if value != f.value {
			return c, malformed(f.name, "is not "+f.value)
		}
	}
	if err := g.scan(&c); err != nil {
		return c, err
	}
	var err error
	if g.idSigned {
		if c.id, err = soleHeader(h, g.ids[0]); err != nil {
			return c, err
		}
		if len(c.id) > maxField {
			return c, malformed(g.ids[0], "is too long")
		}
		if g.borders.ambiguousID(g.unit, c.id) {
			return c, malformed(g.ids[0], "could be read as an ID and a timestamp")
		}
	}
	return c, g.claimTime(h, &c, now)
}

// value reads the header of the signature, or joins the values of the several headers that a row may allow, each of which is a candidate.
func (g *generic) value(h http.Header, c *claims) error {
	if !g.repeatedHeader && !strings.HasSuffix(g.header, "*") {
		value, err := soleHeader(h, g.sigHeader)
		if err != nil {
			return err
		}
		rest, ok := strings.CutPrefix(value, g.prefix)
		if !ok {
			return malformed(g.sigHeader, "does not start with "+g.prefix)
		}
		c.signature = rest
		return nil
	}
	all := h[g.sigHeader]
	if family, ok := strings.CutSuffix(g.sigHeader, "*"); ok {
		all = nil
		for n := 1; n <= maxFamily; n++ {
			values := h[family+strconv.Itoa(n)]
			if len(values) > 1 {
				return malformed(family+strconv.Itoa(n), "is repeated")
			}
			all = append(all, values...)
		}
	}
	if len(all) == 0 || (len(all) == 1 && all[0] == "") {
		return missing(strings.Replace(g.sigHeader, "*", "1", 1))
	}
	if len(all) > maxCandidates {
		return malformed(g.sigHeader, "offers too many signatures")
	}
	for i, value := range all {
		rest, ok := strings.CutPrefix(value, g.prefix)
		if !ok || len(value) > maxHeader || strings.Contains(rest, string(g.sep)) {
			return malformed(g.sigHeader, "is not of the scheme's form")
		}
		if i > 0 {
			c.signature += string(g.sep)
		}
		c.signature += rest
	}
	return nil
}

// maxFamily is how many numbered headers a family may have: DocuSign's bound.
const maxFamily = 100

// scan goes through the signature header. It finds the timestamp of a list, and refuses a header without a signature of the right form.
func (g *generic) scan(c *claims) error {
	if g.sendsSecret() {
		return nil
	}
	offered, stamps := 0, 0
	it := g.syntax.walk(c.signature, g.sep)
	for e, more := it.next(); more; e, more = it.next() {
		if !e.ok {
			return malformed(g.sigHeader, "is not a list of the scheme's form")
		}
		if g.tsKey != "" && e.key == g.tsKey {
			stamps++
			c.t = e.value
			continue
		}
		for i := range max(1, len(g.keys)) {
			var d decoded
			k := &anyKey
			if len(g.keys) > 0 {
				k = &g.keys[i]
			}
			if !g.labelFits(k, e) {
				continue
			}
			offered++
			if g.decode(&d, e.value) && k.fits(&d) {
				if c.usable++; c.usable == 1 {
					c.first, c.firstKey = d, e.key
				}
			}
			break
		}
	}
	switch {
	case stamps > 1:
		return malformed(g.sigHeader, "has more than one timestamp")
	case offered > maxCandidates:
		return malformed(g.sigHeader, "offers too many signatures")
	case offered > 1 && !g.several && g.syntax != versions:
		return malformed(g.sigHeader, "has more than one signature")
	case c.usable == 0:
		return malformed(g.sigHeader, "has no signature of the scheme's form")
	}
	return nil
}

// decode decodes a signature of the row's algorithm.
func (r *row) decode(d *decoded, text string) bool {
	if r.longSignatures() {
		return r.enc.decodeLong(d, text)
	}
	return r.enc.decode(d, text)
}

// anyKey stands for the key that a request names, until it is looked up.
var anyKey key

// longSignatures reports whether signatures are too long for the stack.
func (r *row) longSignatures() bool {
	return publicHashes[r.alg] != 0 && r.alg != algECDSA && r.alg != algECDSA1
}

// labelFits reports whether the label of a candidate is that of the key's signatures.
func (g *generic) labelFits(k *key, c candidate) bool {
	switch g.syntax {
	case single, values, ordered:
		return true
	}
	return c.key == k.version || (c.key == "" && g.unversioned && k.mac != nil)
}

// claimTime reads the timestamp of a header or a list and checks it, unless the body may have one, which comes before it.
func (g *generic) claimTime(h http.Header, c *claims, now time.Time) error {
	switch {
	case g.row.tsHeader != "" && g.tsJSON != "":
		// It isn't signed and counts only if the body has no timestamp, so what is wrong with it is not reported here.
		text := optional(h, g.tsHeader)
		if ms, precision, ok := g.unit.parse(text); ok {
			c.t, c.ms, c.precision = text, ms, precision
		}
		return nil
	case g.row.tsHeader != "":
		t, err := soleHeader(h, g.tsHeader)
		if err != nil {
			return err
		}
		c.t = t
	case g.tsKey != "" && c.t == "":
		return malformed(g.sigHeader, "has no timestamp")
	case g.tsKey == "":
		return nil
	}
	var ok bool
	if c.ms, c.precision, ok = g.unit.parse(c.t); !ok {
		return malformed("the timestamp", "is not one of the scheme's form")
	}
	if g.borders.timeSize > 0 && len(c.t) != g.borders.timeSize {
		return malformed("the timestamp", "has another length than the scheme's")
	}
	if g.tsJSON != "" {
		return nil
	}
	return g.window.check(c.ms, c.precision, now)
}
