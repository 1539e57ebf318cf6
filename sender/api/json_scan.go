package api

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/videocloud/webhooks/sender"
)

// scanner reads one JSON document strictly, in one pass and without building anything from it: values
// are handed out as slices of the document, so what is passed on is byte for byte what came in.
// encoding/json won't do: it takes invalid UTF-8, repeated names and names in another letter case.
//
// Errors are of two kinds. What makes the document unreadable is returned at once and ends the scan.
// What is readable but not acceptable - a repeated name, too deep a nesting, a wrong type - is noted by
// refuse, the first one counting, and the scan goes on: so a broken document is always called broken,
// whatever else is wrong with it, and one bad event of a batch leaves the others.
type scanner struct {
	b       []byte
	i       int
	depth   int // containers open here
	deepest int // the most that were open since it was last set
	refused *sender.Error
	kinds   []uint64 // scratch of skip
}

// newScanner starts on a document after checking what concerns all of it.
func newScanner(b []byte) (*scanner, error) {
	if !utf8.Valid(b) {
		i := 0
		for {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				break
			}
			i += n
		}
		return nil, syntaxError(b, i, "this byte is not valid UTF-8")
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		return nil, syntaxError(b, 0, "a byte order mark doesn't belong here")
	}
	return &scanner{b: b}, nil
}

// syntaxError says where the document breaks. It never shows the document, which may hold secrets.
func syntaxError(b []byte, at int, problem string) error {
	at = min(at, len(b))
	line := 1 + bytes.Count(b[:at], []byte{'\n'})
	column := at - bytes.LastIndexByte(b[:at], '\n')
	return &sender.Error{
		Code:    sender.CodeInvalidJSON,
		Message: fmt.Sprintf("the body is not valid JSON: %s (line %d, byte %d)", problem, line, column),
	}
}

func (s *scanner) fail(problem string) error {
	if s.i >= len(s.b) {
		problem = "it ends too early"
	}
	return syntaxError(s.b, s.i, problem)
}

// refuse notes what is wrong with a readable document; only the first such error is kept.
func (s *scanner) refuse(err *sender.Error) {
	if s.refused == nil {
		s.refused = err
	}
}

// space skips white space and returns the next byte, 0 at the end.
func (s *scanner) space() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.space() != 0 || s.i < len(s.b) {
		return s.fail("something follows the document; send one value")
	}
	return nil
}

// open enters a container.
func (s *scanner) open() {
	s.i++
	s.depth++
	s.deepest = max(s.deepest, s.depth)
}

// object reads an object, whose brace is next. It calls each with every member's name, the scanner
// standing at the member's value, which each must read. A repeated name is refused: the first reader
// of such a document may take one of the values, and the next reader the other. The error's field is the
// name, or the member that the object is the value of.
func (s *scanner) object(of string, each func(name []byte) error) error {
	var seen names
	s.open()
	if s.space() == '}' {
		s.i++
		s.depth--
		return nil
	}
	for {
		if s.space() != '"' {
			return s.fail("expected a member's name")
		}
		raw, escaped, err := s.string()
		if err != nil {
			return err
		}
		name := raw
		if escaped {
			name, _ = unescape(raw)
		}
		if !seen.add(name) {
			s.refuse(repeated(of, name))
		}
		if s.space() != ':' {
			return s.fail("expected a colon after the member's name")
		}
		s.i++
		s.space()
		if err := each(name); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.i++
		case '}':
			s.i++
			s.depth--
			return nil
		default:
			return s.fail("expected a comma or the object's closing brace")
		}
	}
}

func repeated(of string, name []byte) *sender.Error {
	e := &sender.Error{Code: sender.CodeInvalidJSON, Field: of, Message: fmt.Sprintf("the name %q is given more than once in one object; give it once", shorten(name))}
	if of == "" {
		e.Field = shorten(name)
	}
	return e
}

// array reads an array, whose bracket is next. It calls each at every element, which each must read.
func (s *scanner) array(each func(n int) error) error {
	s.open()
	if s.space() == ']' {
		s.i++
		s.depth--
		return nil
	}
	for n := 0; ; n++ {
		s.space()
		if err := each(n); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.i++
		case ']':
			s.i++
			s.depth--
			return nil
		default:
			return s.fail("expected a comma or the array's closing bracket")
		}
	}
}

// skip reads one value of any kind. It does not recurse, so no document can exhaust the stack.
func (s *scanner) skip() error {
	outer := s.depth
	for {
		// A value is next.
		closed := true // whether it ends here, rather than opening a container with something in it
		switch c := s.space(); c {
		case '{', '[':
			s.open()
			if c == '{' {
				s.push(s.depth-outer, 1)
			} else {
				s.push(s.depth-outer, 0)
			}
			if s.space() == c+2 { // } and ] come two after { and [
				s.i++
				s.depth--
				break
			}
			closed = false
		case '"':
			if _, _, err := s.string(); err != nil {
				return err
			}
		case 't':
			if err := s.word("true"); err != nil {
				return err
			}
		case 'f':
			if err := s.word("false"); err != nil {
				return err
			}
		case 'n':
			if err := s.word("null"); err != nil {
				return err
			}
		default:
			if err := s.number(); err != nil {
				return err
			}
		}
		// What comes after it depends on what it is in.
		for closed && s.depth > outer {
			c := s.space()
			inObject := s.inObject(s.depth - outer)
			switch {
			case c == ',':
				s.i++
				closed = false
			case c == '}' && inObject, c == ']' && !inObject:
				s.i++
				s.depth--
			case inObject:
				return s.fail("expected a comma or the object's closing brace")
			default:
				return s.fail("expected a comma or the array's closing bracket")
			}
		}
		if s.depth == outer {
			return nil
		}
		if !s.inObject(s.depth - outer) {
			continue
		}
		if s.space() != '"' {
			return s.fail("expected a member's name")
		}
		if _, _, err := s.string(); err != nil {
			return err
		}
		if s.space() != ':' {
			return s.fail("expected a colon after the member's name")
		}
		s.i++
	}
}

// push notes the kind of the n-th open container of skip: 1 for an object, 0 for an array.
func (s *scanner) push(n int, kind uint64) {
	word, bit := (n-1)/64, uint((n-1)%64)
	if word == len(s.kinds) {
		s.kinds = append(s.kinds, 0)
	}
	s.kinds[word] = s.kinds[word]&^(1<<bit) | kind<<bit
}

func (s *scanner) inObject(n int) bool {
	return s.kinds[(n-1)/64]>>uint((n-1)%64)&1 == 1
}
