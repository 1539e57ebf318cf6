package signature

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// SchemeOf names the schemes that a request may be of, the likeliest first. Several providers share a header; what else is
// there, the form of the signature, and what the body has where the provider's bodies have it, decide. Of the schemes that sign
// inside the body, the body tells by its form. Those that options describe can't be told.
//
// A scheme that follows Standard Webhooks comes after it: nothing tells its requests from others'.
func SchemeOf(h http.Header, body []byte) []string {
	type guess struct {
		name  string
		score int
	}
	var guesses []guess
	for i := range presets {
		r := table()[presets[i].name]
		if score := r.score(h, body); score > 0 {
			guesses = append(guesses, guess{r.name, score})
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return b.score - a.score })
	names := make([]string, len(guesses))
	for i, g := range guesses {
		names[i] = g.name
	}
	return names
}

// Alike reports whether two schemes can't be told from each other by a request that both verify: they differ in nothing
// but whose events they carry.
func Alike(h http.Header, body []byte, a, b string) bool {
	one, ok1 := find(a)
	two, ok2 := find(b)
	return ok1 && ok2 && one.score(h, body) == two.score(h, body)
}

// Told reports whether a request is told to be one scheme's by what another that shares its header has not: then that it was made by
// the other's rule means that it is neither's.
func Told(h http.Header, body []byte, one, other string) bool {
	a, ok1 := find(one)
	b, ok2 := find(other)
	return ok1 && ok2 && a.header != "" && a.sharesHeader(other) && a.telltale != "" && a.evidence(body)-b.evidence(body) >= tells
}

// tells is what a telltale weighs.
const tells = 3

// score is zero where a request is not the row's for certain, and grows with what speaks for it.
func (r *row) score(h http.Header, body []byte) int {
	if form, ok := bodyForms[r.name]; ok {
		if len(body) == 0 || !form(h, body) {
			return 0
		}
		return 12 // below a signature of the right form, above a header that has none
	}
	score := r.likeness(h)
	if score == 0 {
		return 0
	}
	evidence := r.evidence(body)
	if evidence == 0 && r.alg == algToken && r.header == "Authorization" {
		return 0 // it may hold anything
	}
	return max(score+evidence, 1)
}

// evidence grows with the fields that the body has where the provider's have them: less than any header. Only schemes that share their header
// need it.
func (r *row) evidence(body []byte) int {
	if len(body) == 0 || r.standard() || !shared()[textproto.CanonicalMIMEHeaderKey(r.header)] {
		return 0
	}
	has := func(pointer string) bool { _, ok := rawField(body, pointer); return pointer != "" && ok }
	score := 0
	switch {
	case r.telltale == "":
	case has(r.telltale) || (r.telltale == "<" && body[0] == '<'):
		score += tells
	case body[0] == '{':
		score-- // its documents all have it
	}
	if len(r.eventJSON) > 0 && has(r.eventJSON[0]) {
		score++
	}
	if has(r.idJSON) {
		score++
	}
	return score
}

// standard reports whether requests look like those of Standard Webhooks.
func (r *row) standard() bool { return r.syntax == versions && r.header == "webhook-signature" }

// shared are the headers that several providers sign in, those of Standard Webhooks aside.
func shared() map[string]bool {
	seen, twice := map[string]bool{}, map[string]bool{}
	for i := range presets {
		name := textproto.CanonicalMIMEHeaderKey(presets[i].header)
		twice[name] = seen[name]
		seen[name] = seen[name] || !presets[i].described()
	}
	return twice
}

// described reports whether options describe the scheme.
func (r *row) described() bool {
	return r.name == "hmac" || slices.ContainsFunc(presetsGeneric, func(g row) bool { return g.name == r.name })
}

// likeness is zero where the row's signature header is missing, and grows with what else fits.
func (r *row) likeness(h http.Header) int {
	has := func(name string) bool { return name != "" && len(h[textproto.CanonicalMIMEHeaderKey(name)]) > 0 }
	header := strings.Replace(r.header, "*", "1", 1)
	if !has(header) || r.described() {
		return 0
	}
	score := 2
	if r.plausible(h.Get(header)) {
		score += 16
	} else if r.header == "Authorization" || r.jwt != nil {
		return 0 // everyone's header
	}
	for _, name := range append([]string{r.eventHeader}, r.idHeaders...) {
		if has(name) {
			score += 4
		}
	}
	if r.tsHeader != "" && has(r.tsHeader) {
		score += 4
	} else if r.tsHeader != "" && r.tsJSON == "" && r.name != "videocloud" {
		score--
	}
	if r.kidHeader != "" && has(r.kidHeader) {
		score += 4
	}
	for _, f := range r.fixed {
		if h.Get(f.name) == f.value {
			score += 4
		} else {
			score -= 4
		}
	}
	return max(score, 1)
}

// plausible reports whether a header's value has the form of the row's signatures.
func (r *row) plausible(value string) bool {
	if r.name == "livekit" {
		return strings.Count(value, ".") == 2 && (&jwtRules{bodyHash: "sha256", expires: true}).says(value)
	}
	if r.jwt != nil {
		for _, word := range r.jwt.words {
			if !strings.HasPrefix(value, word) {
				return false
			}
			value = value[len(word):]
		}
		return strings.Count(value, ".") == 2 && !strings.Contains(value, " ") && strings.Contains(value, "..") == r.jwt.detached && (r.jwt.detached || r.jwt.says(value))
	}
	if r.tokens() {
		return true
	}
	rest, ok := strings.CutPrefix(value, r.prefix)
	if !ok || len(rest) > maxHeader {
		return false
	}
	k := key{version: r.sigKey}
	if alg, ok := hashes[r.alg]; ok {
		k.mac = &macPool{size: alg().Size()}
	}
	g := &generic{row: r, keys: []key{k}, sigHeader: r.header}
	if r.alg == algEd25519 {
		g.keys[0].public = make([]byte, 32)
	}
	return g.scan(&claims{signature: rest}) == nil
}

// says reports whether a token has the claims that the rules ask for, whatever they are.
func (r *jwtRules) says(token string) bool {
	parts := strings.Split(token, ".")
	payload, err := strictBase64URL.DecodeString(parts[1])
	if err != nil {
		return false
	}
	has := func(claim string) bool { _, ok := rawField(payload, "/"+claim); return ok }
	issuer, _ := Field(payload, "/iss")
	return (r.bodyHash == "" || has(r.bodyHash)) && (!r.audience || has("aud")) && (!r.email || has("email")) &&
		(!r.qsh || has("qsh")) && (!r.expires || has("exp")) && (len(r.issuer) == 0 || slices.Contains(r.issuer, issuer))
}

// ownSecrets begin the secrets of providers whose requests look like everybody's who follows Standard Webhooks.
var ownSecrets = map[string]string{"polar": "polar_whs_", "supabase": "v1,whsec_"}

// Likely reports whether a secret could be the scheme's, as far as its look says so.
func Likely(scheme, secret string) bool {
	for owner, prefix := range ownSecrets {
		if has := strings.HasPrefix(secret, prefix); scheme == owner || has {
			return has && (scheme == owner || !table()[owner].sharesHeader(scheme))
		}
	}
	return true
}

func (r *row) sharesHeader(scheme string) bool {
	other, ok := find(scheme)
	return ok && other.header == r.header
}
