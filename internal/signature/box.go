package signature

import (
	"cmp"
	"maps"
	"net/http"
	"time"
)

// box is the scheme of Box, which sends two signatures, each made with a key of its own and in a header of its own. One valid signature is
// enough, so that one key can be replaced while the other remains. The keys are not interchangeable.
type box struct {
	headers []*generic // by secret: primary, secondary
}

func newBox(r *row, c Config) (scheme, error) {
	if len(c.Secrets) > 2 {
		return nil, badSecret(2, "the scheme box has a primary key and a secondary one, no more")
	}
	if len(c.Secrets) == 0 {
		return nil, errNoSecret
	}
	s := &box{}
	for i, secret := range c.Secrets {
		own := *r
		if i == 1 {
			own.header = "box-signature-secondary"
		}
		c.Secrets = []string{secret}
		g, err := newGeneric(&own, c)
		if err != nil {
			return nil, err
		}
		s.headers = append(s.headers, g)
	}
	return s, nil
}

func (s *box) check(h http.Header, now time.Time) error {
	var first error
	for _, g := range s.headers {
		err := g.check(h, now)
		if err == nil {
			return nil
		}
		first = cmp.Or(first, err)
	}
	return first
}

func (s *box) verify(r *Request, now time.Time) (Result, error) {
	var first error
	for i, g := range s.headers {
		res, err := g.verify(r, now)
		if err == nil {
			res.Secret = i
			return res, nil
		}
		if first == nil || first.(*Error).Reason == ReasonMissing {
			first = err
		}
	}
	return Result{}, first
}

func (s *box) sign(r *Request, id string, now time.Time) (http.Header, error) {
	h := http.Header{}
	for _, g := range s.headers {
		own, err := g.sign(r, id, now)
		if err != nil {
			return nil, err
		}
		maps.Copy(h, own)
	}
	return h, nil
}
