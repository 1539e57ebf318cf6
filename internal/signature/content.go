package signature

import (
	"slices"
	"strings"
)

// An event is identified by what was signed: by the bytes that the signature was made of, without the time, because a retry is signed
// again. That is safe only if an attacker can't give the same bytes another meaning. A URL has many spellings. And where two variable
// parts are neighbours, or have something between them that one of them may contain, the border between them can be moved: the
// signature stays valid, and the parts are others. The rules for that are here, for all templates:
//
//   - Only body and time: the body identifies the event. A time next to the body has a fixed length, so the border can't be moved.
//   - An ID, a time and the body with text between them: the ID alone identifies the event. An ID that could be cut in two is refused.
//   - Everything else: all signed bytes identify the event, beside the ID; without the time if its place is fixed: at the beginning,
//     at the end, or on a line of its own.

// content says which of the signed bytes identify an event.
type content uint8

const (
	contentBody    content = iota // none of them: the body or the ID identifies it
	contentUntimed                // all but the time
	contentWhole                  // all of them
)

// borders says what follows from the borders between the parts of a template.
type borders struct {
	content  content
	timeSize int       // how many digits a timestamp must have; 0: any number
	split    [2]string // the text before and after a time that follows the ID, at which an ID could be cut
	bodyEnd  bool      // the time follows the body and may have any length, so the body must not end in a digit
	movable  bool      // an attacker can move the beginning or the end of the body
}

// borders derives the rules for the row's template.
func (r *row) borders(p payload) borders {
	var b borders
	var names []string // of the variable parts, in order
	before := map[string]string{}
	literal := ""
	for _, part := range p.parts {
		if part.name == "" {
			literal += part.literal
			continue
		}
		if part.name == "secret" {
			continue // it is the same in every request
		}
		names = append(names, part.name)
		before[part.name] = literal
		literal = ""
	}
	first, last := "", ""
	if len(names) > 0 {
		first, last = names[0], names[len(names)-1]
	}
	t := slices.Index(names, "t")
	if t >= 0 && r.numericTime() {
		if (t > 0 && endsInDigit(before["t"])) || (t+1 < len(names) && startsWithDigit(before[names[t+1]])) {
			b.timeSize = r.digitsOfTime()
			if r.pastOnly && last == "t" {
				b.timeSize, b.bodyEnd = 0, true // a time in a far future has more digits
			}
		}
	}
	switch {
	case !slices.ContainsFunc(names, func(name string) bool { return name != "t" && !strings.HasPrefix(name, "body") }):
		return b
	case len(names) == 3 && names[0] == "id" && t == 1 && strings.HasPrefix(last, "body") && before["t"] != "" && before[last] != "" && b.timeSize == 0:
		b.split = [2]string{before["t"], before[last]}
		return b
	}
	b.movable = true
	b.content = contentUntimed
	pinned := t < 0 || first == "t" || (last == "t" && (!r.numericTime() || b.timeSize > 0 || strings.HasSuffix(before["t"], "\n"))) ||
		(strings.HasSuffix(before["t"], "\n") && t+1 < len(names) && strings.HasPrefix(before[names[t+1]], "\n"))
	if p.uses["id"] || !pinned {
		// A retry is recognized by the ID, which is signed too.
		b.content = contentWhole
	}
	return b
}

// endsInDigit and startsWithDigit report whether nothing separates a text from a number next to it: the text is empty or a digit is there.
func endsInDigit(s string) bool     { return s == "" || isDigit(s[len(s)-1]) }
func startsWithDigit(s string) bool { return s == "" || isDigit(s[0]) }
func isDigit(c byte) bool           { return c >= '0' && c <= '9' }

// numericTime reports whether timestamps are numbers.
func (r *row) numericTime() bool {
	return r.unit == unitSeconds || r.unit == unitMillis || r.unit == unitEither
}

// digitsOfTime is how many digits a number of seconds or milliseconds since 1970 has between 2001 and 2286.
func (r *row) digitsOfTime() int {
	if r.unit == unitMillis {
		return len("1700000000000")
	}
	return len("1700000000")
}

// ambiguousID reports whether a signed ID could also be read as a shorter ID and a timestamp.
func (b *borders) ambiguousID(u unit, id string) bool {
	if b.split[0] == "" {
		return false
	}
	for rest := id; ; {
		_, after, found := strings.Cut(rest, b.split[0])
		if !found {
			return false
		}
		for end := 0; end <= min(len(after), maxTime); end++ {
			if end < len(after) && !strings.HasPrefix(after[end:], b.split[1]) {
				continue
			}
			if _, _, ok := u.parse(after[:end]); ok {
				return true
			}
		}
		rest = after
	}
}

// signedContent returns the signed bytes that identify the event, nil where the body or the ID does.
func (g *generic) signedContent(m *message) []byte {
	size := len(m.body) + len(m.url) + len(m.form) + len(m.id) + len(m.t) + len(m.method) + 64
	switch g.borders.content {
	case contentUntimed:
		return g.payload.appendBut("t", make([]byte, 0, size), m)
	case contentWhole:
		return g.payload.append(make([]byte, 0, size), m)
	}
	return nil
}
