package jsonscan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// names has the names of one object. Up to 24 names are compared one by one, which is fastest. For more of them a map is used, because
// the comparisons grow with the square of their number.
type names struct {
	few  [24][]byte
	n    int
	many map[string]struct{}
}

// add reports whether the name is new.
func (s *names) add(name []byte) bool {
	if s.many != nil {
		if _, ok := s.many[string(name)]; ok {
			return false
		}
		s.many[string(name)] = struct{}{}
		return true
	}
	for _, other := range s.few[:s.n] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 4*len(s.few))
	for _, other := range s.few {
		s.many[string(other)] = struct{}{}
	}
	s.many[string(name)] = struct{}{}
	return true
}

// Unescape decodes the text between a string's quotes, of which the scanner has checked the form. valid is false if it has half a surrogate
// pair, which JSON allows and UTF-8 does not; text then has the three bytes that UTF-8 would encode it with.
func Unescape(raw []byte) (text []byte, valid bool) {
	valid = true
	text = make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			next := bytes.IndexByte(raw[i:], '\\')
			if next < 0 {
				next = len(raw) - i
			}
			text = append(text, raw[i:i+next]...)
			i += next
			continue
		}
		if raw[i+1] != 'u' {
			text = append(text, escapes[raw[i+1]])
			i += 2
			continue
		}
		r := codeUnit(raw[i+2:])
		i += 6
		if utf16.IsSurrogate(r) && i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
			if pair := utf16.DecodeRune(r, codeUnit(raw[i+2:])); pair != utf8.RuneError {
				text = utf8.AppendRune(text, pair)
				i += 6
				continue
			}
		}
		if utf16.IsSurrogate(r) {
			valid = false
			text = append(text, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
			continue
		}
		text = utf8.AppendRune(text, r)
	}
	return text, valid
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// codeUnit returns the value of the four digits of an escape.
func codeUnit(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		r = r<<4 | rune(hex(c))
	}
	return r
}

// hex returns the value of a hexadecimal digit, -1 if it is none.
func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// withoutHalves returns a name as other parsers read it: with U+FFFD, which has three bytes too, in place of each half of a surrogate pair.
func withoutHalves(name []byte) []byte {
	name = bytes.Clone(name)
	for i := range len(name) - 2 {
		if name[i] == 0xed && name[i+1] >= 0xa0 {
			copy(name[i:], "\ufffd")
		}
	}
	return name
}
