package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// bodyToken is a scheme whose requests have the secret itself in the body: at one place, or in every element of a list, which must all
// have the same one.
type bodyToken struct {
	inBody
	row    *row
	tokens [][sha256.Size]byte // the hashes of the secrets, so that the time of a comparison does not show their length
	first  string              // the secret to sign with
}

// maxListed is how many elements such a list may have.
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
	given, ok := s.secretsIn(r.Body)
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
	// Every parser has to find the same secret as we did.
	if distinctNames(r.Body, maxNames) != nil {
		return Result{}, malformed("the body", "is not JSON with distinct names")
	}
	return Result{Secret: matched, NoDigest: true, Event: firstField(r.Body, s.row.eventJSON)}, nil
}

// secretsIn returns the texts at the row's pointer; false where one is missing or is no text.
func (s *bodyToken) secretsIn(body []byte) (texts []string, ok bool) {
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
