package signature

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// DetectSchemes names the schemes that a request may be of, the likeliest first. Several providers use the same header; then the other
// headers, the form of the signature and the fields of the body decide. A scheme that signs inside of the body is recognized by the
// body's fields. Schemes that are described by options can't be recognized.
//
// A scheme that follows Standard Webhooks comes after it, because its requests look the same as those of everyone who follows it.
func DetectSchemes(h http.Header, body []byte) []string {
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

// SameScore reports whether nothing in a request that two schemes both verify says which of the two it is of.
func SameScore(h http.Header, body []byte, a, b string) bool {
	rowA, okA := find(a)
	rowB, okB := find(b)
	return okA && okB && rowA.score(h, body) == rowB.score(h, body)
}

// BodyTells reports whether a body has the telltale field of a scheme and so is not of the other one, which uses the same header: a
// request that verifies by the other one is then of neither.
func BodyTells(body []byte, scheme, other string) bool {
	a, okA := find(scheme)
	b, okB := find(other)
	return okA && okB && a.header != "" && a.sharesHeader(other) && a.telltale != "" && a.bodyScore(body)-b.bodyScore(body) >= telltaleScore
}

// telltaleScore is what a telltale adds to a score.
const telltaleScore = 3

// score says how likely a request is of the row's scheme: zero where it can't be, otherwise at least 1.
func (r *row) score(h http.Header, body []byte) int {
	if form, ok := bodyForms[r.name]; ok {
		if len(body) == 0 || !form(h, body) {
			return 0
		}
		return 12 // below a signature of the right form, above a header that has none
	}
	score := r.headerScore(h)
	if score == 0 {
		return 0
	}
	bodyScore := r.bodyScore(body)
	if bodyScore == 0 && r.alg == algToken && r.header == "Authorization" {
		return 0 // any scheme may use this header
	}
	return max(score+bodyScore, 1)
}

// bodyScore is what the body's fields add to the score, less than any header does. It is zero for schemes that share their header with
// no other, which need no more to be recognized.
func (r *row) bodyScore(body []byte) int {
	if len(body) == 0 || r.standard() || !sharedHeaders()[textproto.CanonicalMIMEHeaderKey(r.header)] {
		return 0
	}
	has := func(pointer string) bool { _, ok := rawField(body, pointer); return pointer != "" && ok }
	score := 0
	switch {
	case r.telltale == "":
	case has(r.telltale) || (r.telltale == "<" && body[0] == '<'):
		score += telltaleScore
	case body[0] == '{':
		score-- // all of the provider's documents have the telltale
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

// sharedHeaders are the signature headers that several presets use, by their canonical names.
func sharedHeaders() map[string]bool {
	seen, twice := map[string]bool{}, map[string]bool{}
	for i := range presets {
		name := textproto.CanonicalMIMEHeaderKey(presets[i].header)
		twice[name] = seen[name]
		seen[name] = seen[name] || !presets[i].describedByOptions()
	}
	return twice
}

// describedByOptions reports whether the user's options describe the scheme.
func (r *row) describedByOptions() bool {
	return r.name == "hmac" || slices.ContainsFunc(presetsGeneric, func(g row) bool { return g.name == r.name })
}

// headerScore is zero where the row's signature header is missing, and grows with every other header that fits.
func (r *row) headerScore(h http.Header) int {
	has := func(name string) bool { return name != "" && len(h[textproto.CanonicalMIMEHeaderKey(name)]) > 0 }
	header := strings.Replace(r.header, "*", "1", 1)
	if !has(header) || r.describedByOptions() {
		return 0
	}
	score := 2
	if r.wellFormed(h.Get(header)) {
		score += 16
	} else if r.header == "Authorization" || r.jwt != nil {
		return 0 // other schemes use this header too
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

// wellFormed reports whether a header's value has the form of the row's signatures.
func (r *row) wellFormed(value string) bool {
	if r.jwt != nil {
		for _, word := range r.jwt.prefixes {
			if !strings.HasPrefix(value, word) {
				return false
			}
			value = value[len(word):]
		}
		return strings.Count(value, ".") == 2 && !strings.Contains(value, " ") && strings.Contains(value, "..") == r.jwt.detached && (r.jwt.detached || r.jwt.claimsPresent(value))
	}
	if r.sendsSecret() {
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

// claimsPresent reports whether a token has the claims that the rules ask for, whatever their values.
func (r *jwtRules) claimsPresent(token string) bool {
	parts := strings.Split(token, ".")
	payload, err := strictBase64URL.DecodeString(parts[1])
	if err != nil {
		return false
	}
	has := func(claim string) bool { _, ok := rawField(payload, "/"+claim); return ok }
	issuer, _ := Field(payload, "/iss")
	return (r.bodyHash == "" || has(r.bodyHash)) && (!r.audience || has("aud")) && (!r.email || has("email")) &&
		(!r.qsh || has("qsh")) && (!r.mustExpire || has("exp")) && (len(r.issuer) == 0 || slices.Contains(r.issuer, issuer))
}

// secretPrefixes begin the secrets of those providers whose requests can't be told from others that follow Standard Webhooks.
var secretPrefixes = map[string]string{"polar": "polar_whs_", "supabase": "v1,whsec_"}

// SecretFits reports whether a secret could be one of the scheme's, judging by its prefix.
func SecretFits(scheme, secret string) bool {
	for owner, prefix := range secretPrefixes {
		if has := strings.HasPrefix(secret, prefix); scheme == owner || has {
			return has && (scheme == owner || !table()[owner].sharesHeader(scheme))
		}
	}
	return true
}

// sharesHeader reports whether the other scheme has its signature in the same header.
func (r *row) sharesHeader(scheme string) bool {
	other, ok := find(scheme)
	return ok && other.header == r.header
}
