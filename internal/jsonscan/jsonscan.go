// Package jsonscan reads a JSON document strictly (RFC 8259), in one pass and without building values: it returns slices of the document,
// so that they can be passed on byte for byte. encoding/json is not strict enough: it accepts invalid UTF-8, repeated names, and names in
// another letter case.
//
// A malformed document ends the scan with an [*Error], which says where. The caller should note other problems and go on to the end, so
// that a malformed document is always reported as such, whatever else is wrong with it.
//
//	s := jsonscan.New(document)
//	if s.Space() == '{' {
//		err = s.Object(func(name []byte, repeated bool) error { return s.Skip() })
//	}
package jsonscan

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Scanner is a position in a document.
type Scanner struct {
	// Depth is how many objects and arrays are open at the position. Deepest is the greatest Depth since the caller last set Deepest.
	Depth, Deepest int

	b     []byte
	i     int
	kinds []uint64 // scratch of Skip
}

// New returns a scanner at the beginning of a document. It does not check the encoding: see [CheckEncoding].
func New(document []byte) Scanner { return Scanner{b: document} }

// CheckEncoding refuses a document that is not in UTF-8, or begins with a byte order mark.
func CheckEncoding(document []byte) error {
	if !utf8.Valid(document) {
		i := 0
		for {
			r, n := utf8.DecodeRune(document[i:])
			if r == utf8.RuneError && n <= 1 {
				break
			}
			i += n
		}
		return newError(document, i, "this byte is not valid UTF-8")
	}
	if bytes.HasPrefix(document, []byte("\xef\xbb\xbf")) {
		return newError(document, 0, "a byte order mark doesn't belong here")
	}
	return nil
}

// Error says where a document is malformed. It contains nothing of the document, which may have secrets.
type Error struct {
	Problem      string
	Line, Column int // both from 1; the column counts bytes
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (line %d, byte %d)", e.Problem, e.Line, e.Column)
}

func newError(b []byte, at int, problem string) error {
	at = min(at, len(b))
	return &Error{problem, 1 + bytes.Count(b[:at], []byte{'\n'}), at - bytes.LastIndexByte(b[:at], '\n')}
}

// Fail returns the error of a document that is malformed at the position.
func (s *Scanner) Fail(problem string) error {
	if s.i >= len(s.b) {
		problem = "it ends too early"
	}
	return newError(s.b, s.i, problem)
}

// Space skips white space and returns the next byte, 0 at the end.
func (s *Scanner) Space() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// End returns an error if anything but white space follows.
func (s *Scanner) End() error {
	if s.Space() != 0 || s.i < len(s.b) {
		return s.Fail("something follows the document; send one value")
	}
	return nil
}

// open enters a container.
func (s *Scanner) open() {
	s.i++
	s.Depth++
	s.Deepest = max(s.Deepest, s.Depth)
}

// close leaves a container.
func (s *Scanner) close() {
	s.i++
	s.Depth--
}

// name reads a member's name and the colon after it, and returns what is between the name's quotes.
func (s *Scanner) name() (raw []byte, escaped bool, err error) {
	if s.Space() != '"' {
		return nil, false, s.Fail("expected a member's name")
	}
	if raw, escaped, err = s.string(); err != nil {
		return nil, false, err
	}
	if s.Space() != ':' {
		return nil, false, s.Fail("expected a colon after the member's name")
	}
	s.i++
	s.Space()
	return raw, escaped, nil
}

// Object reads an object, whose brace is next. It calls each with every member's name, the scanner standing at the member's value, which each
// must read. A repeated name should be refused: the first reader of such a document may take one of the values, and the next reader the other.
func (s *Scanner) Object(each func(name []byte, repeated bool) error) error {
	var seen names
	s.open()
	if s.Space() == '}' {
		s.close()
		return nil
	}
	for {
		raw, escaped, err := s.name()
		if err != nil {
			return err
		}
		name, key := raw, raw
		if escaped {
			var valid bool
			if name, valid = Unescape(raw); valid {
				key = name
			} else {
				key = withoutHalves(name)
			}
		}
		if err := each(name, !seen.add(key)); err != nil {
			return err
		}
		switch s.Space() {
		case ',':
			s.i++
		case '}':
			s.close()
			return nil
		default:
			return s.Fail("expected a comma or the object's closing brace")
		}
	}
}

// Array reads an array, whose bracket is next. It calls each at every element, which each must read.
func (s *Scanner) Array(each func(n int) error) error {
	s.open()
	if s.Space() == ']' {
		s.close()
		return nil
	}
	for n := 0; ; n++ {
		s.Space()
		if err := each(n); err != nil {
			return err
		}
		switch s.Space() {
		case ',':
			s.i++
		case ']':
			s.close()
			return nil
		default:
			return s.Fail("expected a comma or the array's closing bracket")
		}
	}
}

// Value reads one value of any kind, and returns its bytes.
func (s *Scanner) Value() ([]byte, error) {
	s.Space()
	start := s.Offset()
	err := s.Skip()
	return s.Since(start), err
}

// Offset returns the position in bytes.
func (s *Scanner) Offset() int { return s.i }

// Since returns the document from an offset up to the position.
func (s *Scanner) Since(offset int) []byte { return s.b[offset:s.i] }

// Skip reads one value of any kind. It does not recurse, so no document can exhaust the stack.
func (s *Scanner) Skip() error {
	outer := s.Depth
	for {
		// A value is next.
		closed := true // whether the value ends here; otherwise it is a container that is not empty
		switch c := s.Space(); c {
		case '{', '[':
			s.open()
			if c == '{' {
				s.push(s.Depth-outer, 1)
			} else {
				s.push(s.Depth-outer, 0)
			}
			if s.Space() == c+2 { // } and ] come two after { and [
				s.close()
				break
			}
			closed = false
		case '"':
			if _, _, err := s.string(); err != nil {
				return err
			}
		case 't', 'f', 'n':
			if err := s.word(words[c]); err != nil {
				return err
			}
		default:
			if err := s.number(); err != nil {
				return err
			}
		}
		// What may follow the value depends on the container that it is in.
		for closed && s.Depth > outer {
			c := s.Space()
			inObject := s.inObject(s.Depth - outer)
			switch {
			case c == ',':
				s.i++
				closed = false
			case c == '}' && inObject, c == ']' && !inObject:
				s.close()
			case inObject:
				return s.Fail("expected a comma or the object's closing brace")
			default:
				return s.Fail("expected a comma or the array's closing bracket")
			}
		}
		if s.Depth == outer {
			return nil
		}
		if !s.inObject(s.Depth - outer) {
			continue
		}
		if _, _, err := s.name(); err != nil {
			return err
		}
	}
}

// push notes the kind of the n-th container that Skip has open: 1 for an object, 0 for an array.
func (s *Scanner) push(n int, kind uint64) {
	word, bit := (n-1)/64, uint((n-1)%64)
	if word == len(s.kinds) {
		s.kinds = append(s.kinds, 0)
	}
	s.kinds[word] = s.kinds[word]&^(1<<bit) | kind<<bit
}

// inObject reports whether the n-th open container is an object.
func (s *Scanner) inObject(n int) bool {
	return s.kinds[(n-1)/64]>>uint((n-1)%64)&1 == 1
}
