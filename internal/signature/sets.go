package signature

import (
	"net/http"
	"strings"
	"time"
)

// sets tries the several sets, each with a timestamp of its own, that a header may have with spaces between: Persona's rotation.
type sets struct {
	*generic
}

// maxSets bounds them: a rotation has two, and each costs a pass over the body.
const maxSets = 3

func newSets(r *row, c Config) (scheme, error) {
	g, err := newGeneric(r, c)
	if err != nil {
		return nil, err
	}
	return &sets{g.(*generic)}, nil
}

// each calls do with the headers for one set after the other, until one is right. The first error counts.
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
		if first == nil {
			first = err
		}
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
