package signature

import (
	"errors"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is parsed before its signature can be known.
const (
	maxDepth = 100
	maxNames = 10_000 // where the scheme has no bound of its own
)

var errNames = errors.New("a name is repeated, there are too many, or it is no JSON")

// distinctNames refuses JSON in which an object has a name twice, in any letter case: where only some fields are signed, the app could
// otherwise read others than were verified. It takes one pass over the document, and refuses more than limit names.
func distinctNames(doc []byte, limit int) error {
	p := scanner{doc: doc}
	var open []object // those that are not closed yet
	var folded []byte
	name := false // whether the next string is a member's name
	total := 0
	for p.skipSpace(); p.i < len(doc); p.skipSpace() {
		switch c := doc[p.i]; c {
		case '{', '[':
			if open = append(open, object{list: c == '['}); len(open) > maxDepth {
				return errNames
			}
			name = c == '{'
			p.i++
		case '}', ']':
			if len(open) == 0 || (c == ']') != open[len(open)-1].list {
				return errNames
			}
			open = open[:len(open)-1]
			name = false
			p.i++
		case ',':
			name = len(open) > 0 && !open[len(open)-1].list
			p.i++
		case ':':
			p.i++
		case '"':
			start := p.i
			if !p.skipString() {
				return errNames
			}
			if !name {
				continue
			}
			name = false
			var ok bool
			folded, ok = appendFolded(folded[:0], doc[start+1:p.i-1])
			if total++; !ok || total > limit || !open[len(open)-1].add(folded) {
				return errNames
			}
		default:
			p.skipWord()
		}
	}
	if len(open) > 0 {
		return errNames
	}
	return nil
}

// object has the names of an object that is not closed yet. A list, which has no names, is one too.
type object struct {
	list  bool
	names []string
	many  map[string]bool // the names after the first few
}

// few is how many names are compared one by one: most objects have no more and so need no map.
const few = 8

// add reports whether the name is new.
func (o *object) add(name []byte) bool {
	if slices.Contains(o.names, string(name)) || o.many[string(name)] {
		return false
	}
	if len(o.names) < few {
		o.names = append(o.names, string(name))
		return true
	}
	if o.many == nil {
		o.many = map[string]bool{}
	}
	o.many[string(name)] = true
	return true
}

// appendFolded appends what a quoted name stands for, with its letters folded. inner is the text between the quotes.
func appendFolded(dst, inner []byte) ([]byte, bool) {
	var room [utf8.UTFMax]byte
	for len(inner) > 0 {
		text, rest, ok := nextText(inner, &room)
		if !ok {
			return nil, false
		}
		for len(text) > 0 {
			r, n := utf8.DecodeRune(text)
			dst, text = utf8.AppendRune(dst, fold(r)), text[n:]
		}
		inner = rest
	}
	return dst, true
}

// elements returns the elements of a JSON array; false if it is none, or has more than max.
func elements(raw []byte, max int) ([][]byte, bool) {
	p := scanner{doc: raw}
	if !p.consume('[') {
		return nil, false
	}
	var all [][]byte
	for p.peek() != ']' {
		start := p.i
		if len(all) == max || !p.skip() {
			return nil, false
		}
		all = append(all, raw[start:p.i])
		if !p.consume(',') {
			break
		}
	}
	return all, p.peek() == ']'
}

// fold maps all letters that a parser which ignores letter case may take for the same one to one of them.
func fold(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
