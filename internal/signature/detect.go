package signature

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// SchemeOf names the schemes whose headers a request has, the likeliest first. Several providers share a header; what
// else is there, and the form of the signature, decides. Schemes that sign inside the body (Mailgun, Adyen's standard
// notifications) can't be told by headers, nor can what the scheme hmac was told to look for.
//
// The body, if it is known, changes nothing but the order of schemes whose headers are the same.
func SchemeOf(h http.Header, body []byte) []string {
	type guess struct {
		name  string
		score int
	}
	var guesses []guess
	for i := range presets {
		r := table()[presets[i].name]
		if score := r.likeness(h); score > 0 {
			if _, ok := rawField(body, r.telltale); ok && r.telltale != "" {
				score += 3 // less than any header
			}
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

// likeness is zero where the row's signature header is missing, and grows with what else fits.
func (r *row) likeness(h http.Header) int {
	has := func(name string) bool { return name != "" && len(h[textproto.CanonicalMIMEHeaderKey(name)]) > 0 }
	if !has(r.header) || r.name == "hmac" {
		return 0
	}
	score := 2
	if r.plausible(h.Get(r.header)) {
		score += 16
	} else if r.header == "Authorization" {
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
		return strings.Count(value, ".") == 2 && !strings.Contains(value, " ")
	}
	if r.alg == algToken {
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
