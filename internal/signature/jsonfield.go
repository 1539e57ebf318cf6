package signature

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxField bounds IDs and event types that are read from a request, in bytes.
const maxField = 256

// Field returns the string or number at a JSON pointer (RFC 6901) of a document, and parses the document only up to there. It returns
// false for any other value, for a text that is not printable ASCII of at most 256 characters, since the text becomes a header and part of
// a key, and for a document that is malformed before that place. Of a repeated name the first counts.
func Field(doc []byte, pointer string) (string, bool) {
	raw, ok := rawField(doc, pointer)
	if !ok {
		return "", false
	}
	value, _ := scalar(raw)
	if !printable(value) {
		return "", false
	}
	return value, true
}

// printable reports whether a text is printable ASCII of 1 to maxField characters.
func printable(s string) bool {
	if s == "" || len(s) > maxField {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// scalar returns the text of a JSON string or number.
func scalar(raw []byte) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	if raw[0] != '"' {
		if c := raw[0]; c != '-' && (c < '0' || c > '9') {
			return "", false
		}
		return string(raw), true
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, true
}

// rawField returns the bytes of the value at a pointer.
func rawField(doc []byte, pointer string) ([]byte, bool) {
	start, end, ok := fieldAt(doc, pointer)
	return doc[start:end], ok
}

// fieldAt returns where the value at a pointer begins and ends.
func fieldAt(doc []byte, pointer string) (start, end int, ok bool) {
	p := scanner{doc: doc}
	p.skipSpace()
	for pointer != "" {
		if pointer[0] != '/' {
			return 0, 0, false
		}
		token := pointer[1:]
		if i := strings.IndexByte(token, '/'); i >= 0 {
			token, pointer = token[:i], token[i:]
		} else {
			pointer = ""
		}
		if !p.enter(token) {
			return 0, 0, false
		}
	}
	start = p.i
	if !p.skip() {
		return 0, 0, false
	}
	return start, p.i, true
}

// fieldsOf returns the strings and numbers of an object's members that have one of the names, however long, in one walk over the document.
// Of a repeated name the first counts. It is false for documents that are broken.
func fieldsOf(doc []byte, names ...string) (map[string]string, bool) {
	fields := make(map[string]string, len(names))
	p := scanner{doc: doc}
	p.skipSpace()
	if !p.consume('{') {
		return nil, false
	}
	for p.peek() == '"' {
		start := p.i
		if !p.skipString() {
			return nil, false
		}
		quoted := doc[start:p.i]
		if !p.consume(':') {
			return nil, false
		}
		start = p.i
		if !p.skip() {
			return nil, false
		}
		for _, name := range names {
			if _, known := fields[name]; known || !nameIs(quoted, name) {
				continue
			}
			fields[name], _ = scalar(doc[start:p.i])
		}
		if !p.consume(',') {
			break
		}
	}
	return fields, p.peek() == '}'
}

// scanner moves through a JSON text. It checks only what it needs to find values.
type scanner struct {
	doc []byte
	i   int
}

func (p *scanner) peek() byte {
	if p.i < len(p.doc) {
		return p.doc[p.i]
	}
	return 0
}

func (p *scanner) skipSpace() {
	for p.i < len(p.doc) {
		switch p.doc[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

func (p *scanner) consume(c byte) bool {
	p.skipSpace()
	if p.peek() != c {
		return false
	}
	p.i++
	p.skipSpace()
	return true
}

// enter moves to the member of the object, or the element of the array, that the token names.
func (p *scanner) enter(token string) bool {
	switch p.peek() {
	case '{':
		return p.enterMember(token)
	case '[':
		return p.enterElement(token)
	}
	return false
}

func (p *scanner) enterMember(token string) bool {
	if strings.IndexByte(token, '~') >= 0 {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	p.consume('{')
	for p.peek() == '"' {
		start := p.i
		if !p.skipString() {
			return false
		}
		name := p.doc[start:p.i]
		if !p.consume(':') {
			return false
		}
		if nameIs(name, token) {
			return true
		}
		if !p.skip() || !p.consume(',') {
			return false
		}
	}
	return false
}

func nameIs(quoted []byte, want string) bool {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == want
	}
	var room [utf8.UTFMax]byte
	for len(inner) > 0 {
		text, rest, ok := nextText(inner, &room)
		if !ok || !strings.HasPrefix(want, string(text)) {
			return false
		}
		inner, want = rest, want[len(text):]
	}
	return want == ""
}

// nextText returns the text before the next escape of a string, or, if it begins with an escape, what that stands for. inner is the text
// between the quotes, and rest what follows.
func nextText(inner []byte, room *[utf8.UTFMax]byte) (text, rest []byte, ok bool) {
	if i := bytes.IndexByte(inner, '\\'); i != 0 {
		if i < 0 {
			i = len(inner)
		}
		return inner[:i], inner[i:], true
	}
	if len(inner) < 2 {
		return nil, nil, false
	}
	if inner[1] != 'u' {
		if room[0] = escapes[inner[1]]; room[0] == 0 {
			return nil, nil, false
		}
		return room[:1], inner[2:], true
	}
	r, ok := hexRune(inner)
	if !ok {
		return nil, nil, false
	}
	inner = inner[len(`\u0000`):]
	if utf16.IsSurrogate(r) {
		second, ok := hexRune(inner)
		if r = utf16.DecodeRune(r, second); ok && r != utf8.RuneError {
			inner = inner[len(`\u0000`):]
		} else {
			r = utf8.RuneError // half a pair, as encoding/json has it
		}
	}
	return utf8.AppendRune(room[:0], r), inner, true
}

// escapes are the characters that a character after a backslash stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// hexRune reads an escape of four hexadecimal digits.
func hexRune(text []byte) (rune, bool) {
	if len(text) < len(`\u0000`) || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		digit := hexValues[c]
		if digit == noDigit {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

func (p *scanner) enterElement(token string) bool {
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || strconv.Itoa(n) != token {
		return false
	}
	p.consume('[')
	for ; n > 0; n-- {
		if !p.skip() || !p.consume(',') {
			return false
		}
	}
	return p.peek() != ']'
}

// skipString moves behind a string. It compares the next few bytes one by one, because most strings are short and some consist of escapes
// only, and then searches for the next quote or escape. The next quote is searched only once for all escapes before it, so that the time
// is linear in the length of the string.
func (p *scanner) skipString() bool {
	doc, i, next := p.doc, p.i+1, -1
	for {
		for end := min(i+shortRun, len(doc)); i < end; i++ {
			if c := doc[i]; c == '"' {
				p.i = i + 1
				return true
			} else if c == '\\' {
				i++
			}
		}
		if i >= len(doc) {
			return false
		}
		if next < i {
			n := bytes.IndexByte(doc[i:], '"')
			if n < 0 {
				return false
			}
			next = i + n
		}
		if escape := bytes.IndexByte(doc[i:next], '\\'); escape >= 0 {
			i += escape
		} else {
			i = next
		}
	}
}

// shortRun is how many bytes are compared one by one before a search is faster.
const shortRun = 32

// skip moves behind a value. It counts open brackets instead of recursing, so that no depth exhausts the stack.
func (p *scanner) skip() bool {
	doc, i, depth := p.doc, p.i, 0
	for i < len(doc) {
		switch kinds[doc[i]] {
		case inWord:
			for i++; i < len(doc) && kinds[doc[i]] == inWord; i++ {
			}
		case quote:
			if p.i = i; !p.skipString() {
				return false
			}
			i = p.i
		case opening:
			depth++
			i++
			continue
		case closing:
			if depth == 0 {
				return false
			}
			depth--
			i++
		case between:
			if depth == 0 {
				return false
			}
			i++
			continue
		}
		if depth == 0 {
			p.i = i
			return true
		}
	}
	return false
}

// skipWord moves behind a number or a literal.
func (p *scanner) skipWord() {
	for p.i < len(p.doc) && kinds[p.doc[p.i]] == inWord {
		p.i++
	}
}

// kind is what a character means outside of strings. A table is used because bodies are scanned before their signature is verified, so it
// has to be fast.
type kind uint8

const (
	inWord kind = iota // of a number or a literal
	between
	opening
	closing
	quote
)

var kinds = [256]kind{' ': between, '\t': between, '\r': between, '\n': between, ',': between, ':': between,
	'{': opening, '[': opening, '}': closing, ']': closing, '"': quote}
