package signature

import (
	"bytes"
	"net/http"
	"time"
)

// How schemes work that sign a text of their own making, with an HMAC. They are in canonical_schemes.go.

// composed is a scheme that makes the signed text in Go. signed gets what the headers say; write says what they are to say, and returns those
// beside the signature's.
type composed struct {
	row    *row
	keys   []key
	window window
	url    string
	read   func(s *composed, h http.Header) (*composition, error)
	signed func(s *composed, c *composition, r *Request) error
	write  func(c *composition, id string) http.Header
}

// composition is one request's.
type composition struct {
	signature decoded
	t         string
	ms        int64
	precision int64
	fields    map[string]string // of a list in the header
	text      [][]byte          // what is signed, in pieces, for the body is large
	content   [][]byte          // what identifies the event, as those are
	ids       bool              // the ID header is part of the text
	frame     [2]string         // what stands around a signature that we make
}

func (r *row) composed(c Config) (*composed, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &composed{row: r, keys: keys, window: r.window(c), url: c.URL}, nil
}

func (s *composed) parse(h http.Header) (*composition, error) {
	c, err := s.read(s, h)
	if err != nil {
		return nil, err
	}
	if !s.keys[0].fits(&c.signature) {
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
	if err := s.signed(s, c, r); err != nil {
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
	for _, pointer := range s.row.eventJSON {
		if res.Event == "" {
			res.Event, _ = Field(r.Body, pointer)
		}
	}
	if res.Event == "" && s.row.eventHeader != "" {
		res.Event = optional(r.Header, http.CanonicalHeaderKey(s.row.eventHeader))
	}
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
	if err := s.signed(s, c, &own); err != nil {
		return nil, err
	}
	h.Set(s.row.header, c.frame[0]+string(s.row.enc.encode(nil, s.keys[0].mac.sign(c.text...)))+c.frame[1])
	return h, nil
}

// pairs reads a header of name=value with commas between.
func pairs(h http.Header, name string) (map[string]string, error) {
	value, err := soleHeader(h, name)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for it := list.walk(value, ','); ; {
		e, more := it.next()
		if !more {
			return fields, nil
		}
		if _, twice := fields[e.key]; !e.ok || twice || len(fields) > maxCandidates {
			return nil, malformed(name, "is not a list of the scheme's form")
		}
		fields[e.key] = e.value
	}
}
