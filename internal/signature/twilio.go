package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Twilio signs the URL it was given and, appended to it, every form field: name and value, sorted, repeated values once.
// Any other body is signed by its SHA-256 in the URL's parameter bodySHA256.

// Bounds of a form, which is parsed before its signature can be known: far more than any provider sends.
const (
	maxForm   = 1 << 20
	maxFields = 1000
)

// twilioURLs are the spellings that Twilio signs: with and without the port, whichever was configured, and with an
// apostrophe in the query as it is or escaped, as WHATWG URLs have it.
func twilioURLs(u string) []string {
	urls := portVariants(u)
	if base, query, ok := strings.Cut(u, "?"); ok && strings.Contains(query, "'") {
		urls = append(urls, portVariants(base+"?"+strings.ReplaceAll(query, "'", "%27"))...)
	}
	return urls
}

func portVariants(u string) []string {
	scheme, rest, _ := strings.Cut(u, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return []string{u, scheme + "://" + host[:i] + tail}
	}
	port := ":443"
	if scheme == "http" {
		port = ":80"
	}
	return []string{u, scheme + "://" + host + port + tail}
}

// twilioForm returns the fields as they are signed. A body that is neither a form nor hashed in the URL isn't signed
// at all, and refused.
func twilioForm(r *Request, u string) (string, error) {
	query, err := queryOf(u)
	if err != nil {
		return "", err
	}
	if sums := query["bodySHA256"]; len(sums) > 0 {
		var d decoded
		sum := sha256.Sum256(r.Body)
		if len(sums) > 1 || !d.hex(sums[0], false) || subtle.ConstantTimeCompare(d.bytes(), sum[:]) != 1 {
			return "", &Error{ReasonMismatch, "bodySHA256 in the URL is not the hash of this body"}
		}
		return "", nil
	}
	fields, err := formOf(r)
	if err != nil {
		return "", err
	}
	return joinForm(fields, func(b *strings.Builder, name string, values []string) {
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			b.WriteString(name)
			b.WriteString(value)
		}
	}), nil
}

// plivoForm returns the URL with the query's parameters and the form's fields, as Plivo's version 3 signs it: for a GET
// all of them as one sorted query, otherwise the sorted query and behind a dot the sorted names and values.
func plivoForm(r *Request, u string) (string, error) {
	base, _, _ := strings.Cut(u, "?")
	query, err := queryOf(u)
	if err != nil {
		return "", err
	}
	fields, err := formOf(r)
	if err != nil {
		return "", err
	}
	if r.Method == http.MethodGet {
		for name, values := range fields {
			query[name] = values
		}
		fields = nil
	}
	pairs := strings.TrimSuffix(joinForm(query, func(b *strings.Builder, name string, values []string) {
		slices.Sort(values)
		for _, value := range values {
			b.WriteString(name + "=" + value + "&")
		}
	}), "&")
	joined := joinForm(fields, func(b *strings.Builder, name string, values []string) {
		slices.Sort(values)
		for _, value := range values {
			b.WriteString(name + value)
		}
	})
	if pairs != "" && joined != "" {
		pairs += "."
	}
	if pairs+joined != "" {
		base += "?"
	}
	return base + pairs + joined, nil
}

func queryOf(u string) (url.Values, error) {
	_, query, _ := strings.Cut(u, "?")
	values, err := url.ParseQuery(query)
	if err != nil || strings.Count(query, "&") >= maxFields {
		return nil, malformed("the query", "can't be parsed")
	}
	return values, nil
}

// formOf parses the body as a form. An empty body is an empty form.
func formOf(r *Request) (url.Values, error) {
	if len(r.Body) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &Error{ReasonMismatch, "the body is not a form, so nothing signs it"}
	}
	if len(r.Body) > maxForm || bytes.Count(r.Body, []byte{'&'}) >= maxFields {
		return nil, malformed("the form", "is too large")
	}
	fields, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, malformed("the form", "can't be parsed")
	}
	return fields, nil
}

// joinForm writes the fields, sorted by name.
func joinForm(fields url.Values, write func(b *strings.Builder, name string, values []string)) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		write(&b, name, fields[name])
	}
	return b.String()
}
