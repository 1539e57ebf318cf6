package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// bodyToken looks for the secret itself in the body: at one place, or in every element of a list, which all must have the same one.
type bodyToken struct {
	inBody
	row    *row
	tokens [][sha256.Size]byte // their hashes, so that a comparison hides the length too
	first  string              // the one to sign with
}

// maxListed bounds the elements of such a list.
const maxListed = 1000

func newBodyToken(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	s := &bodyToken{row: r, first: keys[0].token}
	for _, k := range keys {
		s.tokens = append(s.tokens, sha256.Sum256([]byte(k.token)))
	}
	return s, nil
}

func (s *bodyToken) verify(r *Request, _ time.Time) (Result, error) {
	if len(r.Body) > maxParsed {
		return Result{}, malformed("the body", "is too large for a secret in it to be looked for")
	}
	given, ok := s.given(r.Body)
	if !ok || len(given) == 0 {
		return Result{}, missing("the secret in the body")
	}
	matched := -1
	for _, text := range given {
		sum := sha256.Sum256([]byte(text))
		i := slices.IndexFunc(s.tokens, func(token [sha256.Size]byte) bool { return hmac.Equal(sum[:], token[:]) })
		if i < 0 || (matched >= 0 && i != matched) {
			return Result{}, errMismatch
		}
		matched = i
	}
	// What a parser takes for the secret must be what we took for it.
	if distinctNames(r.Body, maxNames) != nil {
		return Result{}, malformed("the body", "is not JSON with distinct names")
	}
	return Result{Secret: matched, NoDigest: true, Event: firstField(r.Body, s.row.eventJSON)}, nil
}

// given are the texts at the row's pointer. It is false where one is missing or no text.
func (s *bodyToken) given(body []byte) (texts []string, ok bool) {
	list, rest, several := strings.Cut(s.row.secretPointers[0], "/*")
	if !several {
		text, ok := Field(body, list)
		return []string{text}, ok
	}
	raw, ok := rawField(body, list)
	if !ok {
		return nil, false
	}
	items, ok := elements(raw, maxListed)
	if !ok {
		return nil, false
	}
	for _, item := range items {
		text, ok := Field(item, rest)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}
