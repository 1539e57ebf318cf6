package signature

import (
	"bytes"
	"net/http"
	"time"
)

// composed is a scheme that signs a text which is composed in Go, with an HMAC. The schemes of this kind are in canonical_schemes.go.
type composed struct {
	row    *row
	header string // canonical
	keys   []key
	window window
	url    string
	composedRules
}

// composedRules are what differs from one such scheme to the next.
type composedRules struct {
	// list are the keys of the signatures in a header that is a list of pairs; the first that is there counts. None: the header is the
	// signature itself.
	list []string
	// headers are the canonical names of further headers that must be there.
	headers []string
	// compose fills in text and content of c, and its ids, from what the headers say and from the request.
	compose func(s *composed, c *composition, r *Request) error
	// write fills in what the headers of a request that we sign say, and returns those beside the signature's. Nil: there are none.
	write func(c *composition, id string) http.Header
}

// composition is what a composed scheme knows of one request.
type composition struct {
	signature decoded
	t         string
	ms        int64 // t as an instant
	precision int64
	fields    map[string]string // of a list in the header
	text      [][]byte          // what is signed, in pieces, because the body is large
	content   [][]byte          // what identifies the event, in pieces too
	ids       bool              // the ID header is part of the text
	frame     [2]string         // what stands before and after a signature that we make
}

func newComposed(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &composed{row: r, header: http.CanonicalHeaderKey(r.header), keys: keys, window: r.window(c), url: c.URL, composedRules: composedSchemes[r.name]}, nil
}

// read returns the signature's text and what else the headers say.
func (s *composed) read(h http.Header) (text string, c *composition, err error) {
	c = &composition{}
	if len(s.list) == 0 {
		text, err = soleHeader(h, s.header)
	} else if c.fields, err = pairs(h, s.header); err == nil {
		c.t = c.fields[s.row.tsKey]
		for _, key := range s.list {
			if value, ok := c.fields[key]; ok {
				text = value
				break
			}
		}
	}
	if err == nil && s.row.tsHeader != "" {
		c.t, err = soleHeader(h, http.CanonicalHeaderKey(s.row.tsHeader))
	}
	for i := 0; err == nil && i < len(s.headers); i++ {
		_, err = soleHeader(h, s.headers[i])
	}
	return text, c, err
}

func (s *composed) parse(h http.Header) (*composition, error) {
	text, c, err := s.read(h)
	if err != nil {
		return nil, err
	}
	if !s.row.enc.decode(&c.signature, text) || !s.keys[0].fits(&c.signature) {
		return nil, malformed(s.row.header, "has no signature of the scheme's form")
	}
	if !s.row.timestamped() {
		return c, nil
	}
	var ok bool
	if c.ms, c.precision, ok = s.row.unit.parse(c.t); !ok {
		return nil, malformed("the timestamp", "is not one of the scheme's form")
	}
	return c, nil
}

func (s *composed) check(h http.Header, now time.Time) error {
	c, err := s.parse(h)
	if err != nil || !s.row.timestamped() {
		return err
	}
	return s.window.check(c.ms, c.precision, now)
}

func (s *composed) verify(r *Request, now time.Time) (Result, error) {
	c, err := s.parse(r.Header)
	if err != nil {
		return Result{}, err
	}
	if s.row.timestamped() {
		if err := s.window.check(c.ms, c.precision, now); err != nil {
			return Result{}, err
		}
	}
	if err := s.compose(s, c, r); err != nil {
		return Result{}, err
	}
	matched := signedBy(s.keys, c.signature.bytes(), c.text...)
	if matched < 0 {
		return Result{}, errMismatch
	}
	return s.result(matched, c, r), nil
}

func (s *composed) result(matched int, c *composition, r *Request) Result {
	res := Result{Secret: matched, Timestamp: c.t, BodySigned: true, Content: bytes.Join(c.content, nil)}
	for _, name := range s.row.idHeaders {
		if res.ID = optional(r.Header, http.CanonicalHeaderKey(name)); res.ID != "" {
			res.IDSigned = c.ids
			res.NoID = !c.ids
		}
	}
	res.Event = s.row.eventType(r.Header, r.Body, http.CanonicalHeaderKey(s.row.eventHeader))
	return res
}

func (s *composed) sign(r *Request, id string, now time.Time) (http.Header, error) {
	c := &composition{}
	if s.row.timestamped() {
		c.t = s.row.unit.format(now)
		c.ms, c.precision, _ = s.row.unit.parse(c.t)
	}
	h := http.Header{}
	if s.write != nil {
		h = s.write(c, id)
	}
	own := *r
	own.Header = h
	if err := s.compose(s, c, &own); err != nil {
		return nil, err
	}
	h.Set(s.row.header, c.frame[0]+string(s.row.enc.encode(nil, s.keys[0].mac.sign(c.text...)))+c.frame[1])
	return h, nil
}

// pairs reads a header of the form name=value,name=value.
func pairs(h http.Header, name string) (map[string]string, error) {
	value, err := soleHeader(h, name)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	it := list.walk(value, ',')
	for e, more := it.next(); more; e, more = it.next() {
		if _, twice := fields[e.key]; !e.ok || twice || len(fields) > maxCandidates {
			return nil, malformed(name, "is not a list of the scheme's form")
		}
		fields[e.key] = e.value
	}
	return fields, nil
}
