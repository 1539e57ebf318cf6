package signature

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
)

// payload is a parsed template of what is signed, such as "v0:{t}:{body}".
type payload struct {
	parts []part
	uses  map[string]bool
}

// part is literal text or, with name, a placeholder.
type part struct{ literal, name string }

// The placeholders of a payload template.
var placeholders = map[string]string{
	"body":        "the raw body",
	"body_sha256": "the 32 bytes of the body's SHA-256",
	"body_hash":   "the same in lower-case hexadecimal",
	"t":           "the timestamp, as written in its header or list",
	"id":          "the event ID, as written in its header",
	"url":         "the public URL with the request's query",
	"url_path":    "the same without the query",
	"query":       "the query, sorted by name",
	"method":      "the request's method",
	"secret":      "the secret itself (plain hashes only)",
	"field":       "one form field (presets only)",
	"form":        "the form fields, as the provider joins them (presets only)",
}

// parsePayload parses a template. fixed are the texts of those placeholders that the configuration replaces.
func parsePayload(template string, fixed map[string]string) (payload, error) {
	p := payload{uses: map[string]bool{}}
	for template != "" {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			p.parts = append(p.parts, part{literal: template})
			break
		}
		if open > 0 {
			p.parts = append(p.parts, part{literal: template[:open]})
		}
		name, rest, closed := strings.Cut(template[open+1:], "}")
		if text, ok := fixed[name]; ok && closed {
			p.parts = append(p.parts, part{literal: text})
			template = rest
			continue
		}
		if !closed || placeholders[name] == "" {
			return payload{}, fmt.Errorf("unknown placeholder {%s", template[open+1:])
		}
		p.parts = append(p.parts, part{name: name})
		p.uses[name] = true
		template = rest
	}
	return p, nil
}

// signsBody reports whether changing a byte of the body changes the payload.
func (p payload) signsBody() bool {
	return p.uses["body"] || p.uses["body_sha256"] || p.uses["body_hash"] || p.uses["form"] || p.uses["field"]
}

// signsURL reports whether the public URL, or a part of it, is in the payload.
func (p payload) signsURL() bool {
	return p.uses["url"] || p.uses["url_path"] || p.uses["query"] || p.uses["form"]
}

// isBody reports whether the payload is the body itself.
func (p payload) isBody() bool { return len(p.parts) == 1 && p.parts[0].name == "body" }

// message is what the placeholders of one request stand for.
type message struct {
	body        []byte
	t, id       string
	method, url string
	form        string
}

// write feeds the payload of m to a keyed hash.
func (p payload) write(s *macState, m *message) {
	for _, part := range p.parts {
		switch part.name {
		case "body":
			s.write(m.body)
		case "secret":
			s.write(s.key)
		case "body_sha256", "body_hash":
			s.write(part.append(s.scratch[:0], m))
		default:
			s.writeString(part.text(m))
		}
	}
}

// append appends the payload of m, without the secret, for the algorithms that need it in one piece.
func (p payload) append(dst []byte, m *message) []byte { return p.appendBut("", dst, m) }

// appendBut is append without one of the placeholders.
func (p payload) appendBut(but string, dst []byte, m *message) []byte {
	for _, part := range p.parts {
		if part.name != "" && part.name == but {
			continue
		}
		dst = part.append(dst, m)
	}
	return dst
}

// append appends what the part stands for.
func (p part) append(dst []byte, m *message) []byte {
	switch p.name {
	case "body":
		return append(dst, m.body...)
	case "body_sha256", "body_hash":
		sum := sha256.Sum256(m.body)
		if p.name == "body_hash" {
			return appendHex(dst, sum[:])
		}
		return append(dst, sum[:]...)
	}
	return append(dst, p.text(m)...)
}

// text returns what a part stands for, but for the body, its hashes and the secret.
func (p part) text(m *message) string {
	switch p.name {
	case "":
		return p.literal
	case "t":
		return m.t
	case "id":
		return m.id
	case "method":
		return m.method
	case "url":
		return m.url
	case "url_path":
		path, _, _ := strings.Cut(m.url, "?")
		return path
	case "query":
		_, query, _ := strings.Cut(m.url, "?")
		values, _ := url.ParseQuery(query) // what doesn't parse isn't signed by the provider either
		return values.Encode()
	case "form", "field":
		return m.form
	}
	return ""
}
