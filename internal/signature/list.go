package signature

import "strings"

// candidates iterates over the elements of a signature header without allocating. The header has one of these syntaxes:
//
//	single    <prefix><signature>
//	values    <signature>,<signature>
//	ordered   <timestamp>,<signature>,<signature>
//	slashes   <key ID>/<algorithm>/<signature>,…
//	list      t=<timestamp>,v1=<signature>,v1=<signature>    with other separators and keys
//	versions  v1,<signature> v1a,<signature>                 Standard Webhooks
type candidates struct {
	syntax syntax
	sep    byte
	rest   string
	done   bool
	begun  bool
}

// syntax is how a signature header is written; see [candidates].
type syntax uint8

const (
	single syntax = iota
	values
	list
	versions
	ordered
	slashes
)

// orderedTime is the key that the first element gets in the syntax ordered, whose elements have no keys.
const orderedTime = "first"

// candidate is one element: a key or version, and its value.
type candidate struct {
	key, value string
	ok         bool // whether the element has the form of its syntax
}

// walk starts at the first element of a header.
func (s syntax) walk(header string, sep byte) candidates {
	return candidates{syntax: s, sep: sep, rest: header}
}

// next returns the next element; false at the end.
func (c *candidates) next() (candidate, bool) {
	if c.done {
		return candidate{}, false
	}
	switch c.syntax {
	case list:
		key, value, ok := strings.Cut(c.cut(), "=")
		return candidate{key, value, ok && key != ""}, true
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
		// Only the first two slashes separate: base64 may contain slashes too.
		element := c.cut()
		id, rest, _ := strings.Cut(element, "/")
		alg, value, ok := strings.Cut(rest, "/")
		return candidate{key: alg, value: value, ok: ok && id != ""}, true
	}
	c.done = true
	return candidate{value: c.rest, ok: true}, true
}

// cut returns the text up to the next separator, without the white space around it, and moves behind the separator.
func (c *candidates) cut() string {
	element := c.rest
	if i := strings.IndexByte(c.rest, c.sep); i >= 0 {
		element, c.rest = c.rest[:i], c.rest[i+1:]
	} else {
		c.done = true
	}
	return strings.Trim(element, " \t")
}

// nextVersion is next for the syntax versions.
func (c *candidates) nextVersion() (candidate, bool) {
	space := " "
	if c.sep == '\t' {
		space = " \t" // OpenAI splits at any white space
	}
	c.rest = strings.TrimLeft(c.rest, space) // it may be doubled
	if c.rest == "" {
		c.done = true
		return candidate{}, false
	}
	element := c.rest
	if end := strings.IndexAny(c.rest, space); end >= 0 {
		element = c.rest[:end]
	}
	c.rest = c.rest[len(element):]
	version, value, ok := strings.Cut(element, ",")
	if !ok {
		return candidate{"", element, true}, true // without a version, which only OpenAI's scheme accepts
	}
	return candidate{version, value, version != ""}, true
}
