package signature

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// sets is a scheme whose header may have several sets of timestamp and signature with spaces between them, while a key is rotated
// (Persona). One of them has to be right.
type sets struct {
	*generic
}

// maxSets is how many sets one header may have: a rotation needs two, and each costs a pass over the body.
const maxSets = 3

func newSets(r *row, c Config) (scheme, error) {
	g, err := newGeneric(r, c)
	if err != nil {
		return nil, err
	}
	return &sets{g}, nil
}

// each calls do with headers that have only one set, for one set after the other until do returns nil. Otherwise it returns the first
// error.
func (s *sets) each(h http.Header, do func(h http.Header) error) error {
	value, err := soleHeader(h, s.sigHeader)
	if err != nil {
		return err
	}
	all := strings.Fields(value)
	if len(all) < 2 {
		return do(h)
	}
	if len(all) > maxSets {
		return malformed(s.sigHeader, "has too many sets")
	}
	var first error
	for _, set := range all {
		own := h.Clone()
		own[s.sigHeader] = []string{set}
		err := do(own)
		if err == nil {
			return nil
		}
		first = cmp.Or(first, err)
	}
	return first
}

func (s *sets) check(h http.Header, now time.Time) error {
	return s.each(h, func(h http.Header) error { return s.generic.check(h, now) })
}

func (s *sets) verify(r *Request, now time.Time) (res Result, err error) {
	err = s.each(r.Header, func(h http.Header) error {
		own := *r
		own.Header = h
		var err error
		res, err = s.generic.verify(&own, now)
		return err
	})
	return res, err
}
