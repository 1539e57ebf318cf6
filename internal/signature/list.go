package signature

import "strings"

// candidates walks the signatures of a header without allocating. Every scheme has one of these syntaxes:
//
//	single    <prefix><signature>
//	values    <signature>,<signature>
//	ordered   <timestamp>,<signature>,<signature>
//	slashes   <key ID>/<algorithm>/<signature>,…
//	list      t=<timestamp>,v1=<signature>,v1=<signature>    separator and keys vary
//	versions  v1,<signature> v1a,<signature>                 Standard Webhooks
type candidates struct {
	syntax syntax
	sep    byte
	rest   string
	done   bool
	begun  bool
}

type syntax uint8

const (
	single syntax = iota
	values
	list
	versions
	ordered
	slashes
)

// orderedTime stands for the key of the first element where elements have none.
const orderedTime = "first"

// candidate is one element: a key (or version) and what belongs to it.
type candidate struct {
	key, value string
	ok         bool // the element has the form of its syntax
}

func (s syntax) walk(header string, sep byte) candidates {
	return candidates{syntax: s, sep: sep, rest: header}
}

// next returns the next element, or false at the end.
func (c *candidates) next() (candidate, bool) {
	if c.done {
		return candidate{}, false
	}
	switch c.syntax {
	case list:
		return c.nextPair()
	case versions:
		return c.nextVersion()
	case values:
		return candidate{value: c.cut(), ok: true}, true
	case ordered:
		e := candidate{value: c.cut(), ok: true}
		if !c.begun {
			c.begun, e.key = true, orderedTime
		}
		return e, true
	case slashes:
		// The label is key ID and algorithm: base64 may have slashes, too.
		element := c.cut()
		id, rest, _ := strings.Cut(element, "/")
		alg, value, ok := strings.Cut(rest, "/")
		return candidate{key: alg, value: value, ok: ok && id != ""}, true
	}
	c.done = true
	return candidate{value: c.rest, ok: true}, true
}

func (c *candidates) nextPair() (candidate, bool) {
	key, value, ok := strings.Cut(c.cut(), "=")
	return candidate{key, value, ok && key != ""}, true
}

// cut takes the text up to the next separator, without the white space around it.
func (c *candidates) cut() string {
	element := c.rest
	if i := strings.IndexByte(c.rest, c.sep); i >= 0 {
		element, c.rest = c.rest[:i], c.rest[i+1:]
	} else {
		c.done = true
	}
	return strings.Trim(element, " \t")
}

func (c *candidates) nextVersion() (candidate, bool) {
	// The separator of this syntax is white space, doubled or not.
	c.rest = trimLeft(c.rest, c.sep)
	if c.rest == "" {
		c.done = true
		return candidate{}, false
	}
	end := 0
	for end < len(c.rest) && !isSpace(c.rest[end], c.sep) {
		end++
	}
	element := c.rest[:end]
	c.rest = c.rest[end:]
	version, value, ok := strings.Cut(element, ",")
	if !ok {
		return candidate{"", element, true}, true // unversioned: only OpenAI's scheme looks at these
	}
	return candidate{version, value, version != ""}, true
}

func trimLeft(s string, sep byte) string {
	for len(s) > 0 && isSpace(s[0], sep) {
		s = s[1:]
	}
	return s
}

// isSpace takes tabs too where the separator is one (OpenAI splits at any white space).
func isSpace(c, sep byte) bool { return c == ' ' || (c == sep && sep == '\t') }
