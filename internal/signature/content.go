package signature

import (
	"slices"
	"strings"
)

// What identifies an event is what was signed: the very octets that were matched, without the time, for a retry is signed anew.
// That is safe only where a stranger can't read the same octets in another way. A URL is spelled in many ways, and where
// two variable parts stand side by side, or between them what one of them may hold, the border between them can be moved: the
// signature stays right, and the parts are others. So it is settled here, once for every template:
//
//   - Body and time alone: the body identifies the event. A time that touches it has one length, so its border is fixed.
//   - An ID, a time and the body with text between them: the ID alone identifies it. An ID that could be cut in two is refused.
//   - Everything else: the octets as a whole identify the event, beside the ID. Without the time where its place is
//     fixed: at the beginning, at the end, or on a line of its own.

// content is how a template's octets become an identity.
type content uint8

const (
	contentBody    content = iota // the body is all that varies beside the time, or the ID is enough
	contentUntimed                // the octets without the time
	contentWhole                  // the octets with the time
)

// borders settles how the row's template is read.
type borders struct {
	content  content
	timeSize int       // digits that a timestamp must have, 0 where it ends by itself
	split    [2]string // what stands around a time behind the ID, where an ID could be cut there
	bodyEnd  bool      // the time follows the body and has any length: the body may not end in a digit
	movable  bool      // the body begins or ends where a stranger likes
}

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
			continue // a part that the configuration fixes
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
				b.timeSize, b.bodyEnd = 0, true // it may lie in a far future
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
		// The ID, which is signed and claimed as well, is what tells a retry by.
		b.content = contentWhole
	}
	return b
}

// Text at the border of a number must not be a digit, and must be there.
func endsInDigit(s string) bool     { return s == "" || isDigit(s[len(s)-1]) }
func startsWithDigit(s string) bool { return s == "" || isDigit(s[0]) }
func isDigit(c byte) bool           { return c >= '0' && c <= '9' }

func (r *row) numericTime() bool {
	return r.unit == unitSeconds || r.unit == unitMillis || r.unit == unitEither
}

// digitsOfTime is the length of a count of seconds or milliseconds until the year 2286.
func (r *row) digitsOfTime() int {
	if r.unit == unitMillis {
		return len("1700000000000")
	}
	return len("1700000000")
}

// divisible reports whether a signed ID could be cut into a shorter ID and a timestamp: then the same octets have two readings.
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

// octets are what identifies the event, nil where the body or the ID does.
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
