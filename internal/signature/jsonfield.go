package signature

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// maxField bounds IDs and event types that are taken out of a request.
const maxField = 256

// Field returns the string or number at a JSON pointer (RFC 6901) of a document, without parsing more of it than
// leads there. It is false for anything else, for what is not printable ASCII of at most 256 characters
// - it becomes a header and a part of a key - and for documents that are broken on the way.
// Of a repeated name the first counts.
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
	p := scanner{doc: doc}
	p.space()
	for pointer != "" {
		if pointer[0] != '/' {
			return nil, false
		}
		token := pointer[1:]
		if i := strings.IndexByte(token, '/'); i >= 0 {
			token, pointer = token[:i], token[i:]
		} else {
			pointer = ""
		}
		if !p.enter(token) {
			return nil, false
		}
	}
	start := p.i
	if !p.skip() {
		return nil, false
	}
	return doc[start:p.i], true
}

// scanner walks a JSON text. It checks no more than it needs to find its way: what it reads was verified before.
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

func (p *scanner) space() {
	for p.i < len(p.doc) {
		switch p.doc[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

func (p *scanner) take(c byte) bool {
	p.space()
	if p.peek() != c {
		return false
	}
	p.i++
	p.space()
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
	p.take('{')
	for p.peek() == '"' {
		start := p.i
		if !p.skipString() {
			return false
		}
		name := p.doc[start:p.i]
		if !p.take(':') {
			return false
		}
		if nameIs(name, token) {
			return true
		}
		if !p.skip() || !p.take(',') {
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
	name, ok := scalar(quoted)
	return ok && name == want
}

func (p *scanner) enterElement(token string) bool {
	n, err := strconv.Atoi(token)
	if err != nil || n < 0 || strconv.Itoa(n) != token {
		return false
	}
	p.take('[')
	for ; n > 0; n-- {
		if !p.skip() || !p.take(',') {
			return false
		}
	}
	return p.peek() != ']'
}

// skipString moves behind a string. It looks for the quote once for all escapes before it, so that a string of
// nothing but escapes costs no more than another.
func (p *scanner) skipString() bool {
	i, quote := p.i+1, -1
	for {
		if quote < i {
			n := bytes.IndexByte(p.doc[min(i, len(p.doc)):], '"')
			if n < 0 {
				return false
			}
			quote = i + n
		}
		escape := bytes.IndexByte(p.doc[i:quote], '\\')
		if escape < 0 {
			p.i = quote + 1
			return true
		}
		i += escape + 2
	}
}

// skip moves behind the value. Nested values are counted, not recursed into, so depth costs nothing.
func (p *scanner) skip() bool {
	depth := 0
	for p.i < len(p.doc) {
		switch c := p.doc[p.i]; c {
		case '"':
			if !p.skipString() {
				return false
			}
		case '{', '[':
			depth++
			p.i++
			continue
		case '}', ']':
			if depth == 0 {
				return false
			}
			depth--
			p.i++
		case ' ', '\t', '\r', '\n', ',', ':':
			if depth == 0 {
				return false
			}
			p.i++
			continue
		default:
			p.skipWord()
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// skipWord moves behind a number or a literal.
func (p *scanner) skipWord() {
	for p.i < len(p.doc) && !strings.ContainsRune(" \t\r\n,:{}[]\"", rune(p.doc[p.i])) {
		p.i++
	}
}
