package signature

import (
	"errors"
	"strings"
	"unicode"
)

// Bounds of what is parsed before its signature can be known.
const (
	maxDepth = 100
	maxNames = 10_000
)

var errNames = errors.New("a name is repeated, there are too many, or it is no JSON")

// distinctNames refuses JSON in which an object has a name twice, in any letter case: where only some fields are signed, we and the
// app could otherwise read different ones. It costs one walk over the document.
func distinctNames(doc []byte) error {
	p := scanner{doc: doc}
	var open []map[string]bool // names of each open object, nil for arrays
	name := false              // whether the next string is a name
	total := 0
	for p.space(); p.i < len(doc); p.space() {
		switch c := doc[p.i]; c {
		case '{', '[':
			var names map[string]bool
			if c == '{' {
				names = map[string]bool{}
			}
			if open = append(open, names); len(open) > maxDepth {
				return errNames
			}
			name = c == '{'
			p.i++
		case '}', ']':
			if len(open) == 0 || (c == '}') != (open[len(open)-1] != nil) {
				return errNames
			}
			open = open[:len(open)-1]
			name = false
			p.i++
		case ',':
			name = len(open) > 0 && open[len(open)-1] != nil
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
			text, ok := scalar(doc[start:p.i])
			names, folded := open[len(open)-1], strings.Map(fold, text)
			if total++; !ok || names[folded] || total > maxNames {
				return errNames
			}
			names[folded] = true
		default:
			before := p.i
			if p.skipWord(); p.i == before {
				return errNames
			}
		}
	}
	if len(open) > 0 {
		return errNames
	}
	return nil
}

// elements are the elements of a JSON array, at most max of them.
func elements(raw []byte, max int) ([][]byte, bool) {
	p := scanner{doc: raw}
	if !p.take('[') {
		return nil, false
	}
	var all [][]byte
	for p.peek() != ']' {
		start := p.i
		if len(all) == max || !p.skip() {
			return nil, false
		}
		all = append(all, raw[start:p.i])
		if !p.take(',') {
			break
		}
	}
	return all, p.peek() == ']'
}

// fold maps all letters that some parser takes for the same one to one of them.
func fold(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
