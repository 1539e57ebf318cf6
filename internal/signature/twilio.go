package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Twilio signs the URL it was given and, appended to it, every form field: name and value, sorted, repeated values once.
// Any other body is signed by its SHA-256 in the URL's parameter bodySHA256.

// Bounds of a form, which is parsed before its signature is verified: bytes and fields, far more than any provider sends.
const (
	maxForm   = 128 << 10
	maxFields = 1000
)

// twilioURLs are the spellings that Twilio signs, as its own libraries try them: with and without the port, whichever was
// configured, and with the query as it is, escaped as WHATWG URLs have it, or decoded and encoded again.
func twilioURLs(u string) []string {
	bases := portVariants(u)
	if lower := lowerHost(u); lower != u {
		bases = append(bases, portVariants(lower)...)
	}
	_, query, asked := strings.Cut(u, "?")
	if !asked {
		return bases
	}
	queries := []string{query}
	if strings.Count(query, "&") < maxFields {
		for _, other := range []string{whatwgQuery.Replace(query), encodedAgain(query)} {
			if !slices.Contains(queries, other) {
				queries = append(queries, other)
			}
		}
	}
	urls := make([]string, 0, len(bases)*len(queries))
	for _, base := range bases {
		base, _, _ = strings.Cut(base, "?")
		for _, query := range queries {
			urls = append(urls, base+"?"+query)
		}
	}
	return urls
}

// whatwgQuery escapes what the URL standard of WHATWG escapes in a query, as browsers and Node do.
var whatwgQuery = strings.NewReplacer("'", "%27", `"`, "%22", "<", "%3C", ">", "%3E")

// encodedAgain is the query after it was decoded and encoded again with JavaScript's encodeURIComponent. The values of a repeated name move
// to its first place.
func encodedAgain(query string) string {
	var names []string
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescaped(name), unescaped(value)
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	b := make([]byte, 0, len(query)+len(query)/4)
	for _, name := range names {
		for _, value := range values[name] {
			if len(b) > 0 {
				b = append(b, '&')
			}
			b = appendEscaped(b, name, uriComponent)
			b = append(b, '=')
			b = appendEscaped(b, value, uriComponent)
		}
	}
	return string(b)
}

// unescaped decodes a part of a query, or returns it as it is where it can't be decoded.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// uriComponent is what JavaScript's encodeURIComponent leaves as it is, beside letters and digits.
const uriComponent = "-_.!~*'()"

// appendEscaped appends a text with percent-encodings of all but ASCII letters, digits and the bytes of unescaped.
func appendEscaped(dst []byte, s, unescaped string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte(unescaped, c) >= 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// twilioRepeatsRequests reports whether a request is of a call. A call requests the same URL with the same fields again and again, for
// instructions, and only the idempotency token tells its requests apart.
func twilioRepeatsRequests(url, form string) bool {
	return strings.Contains(form, "CallSid") || (form == "" && strings.Contains(url, "CallSid="))
}

// lowerHost returns the URL with its host in lower case.
func lowerHost(u string) string {
	scheme, user, host, tail := cutURL(u)
	return scheme + "://" + user + strings.ToLower(host) + tail
}

// cutURL splits an absolute URL: user is empty or ends in @, tail is empty or begins with a slash or question mark.
func cutURL(u string) (scheme, user, host, tail string) {
	scheme, host, _ = strings.Cut(u, "://")
	if end := strings.IndexAny(host, "/?"); end >= 0 {
		host, tail = host[:end], host[end:]
	}
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user, host = host[:at+1], host[at+1:]
	}
	return scheme, user, host, tail
}

// portVariants returns the URL as it is, and with its port removed, or with the default port added. A URL without a path is returned with
// the path / too, which every request has.
func portVariants(u string) []string {
	scheme, user, host, tail := cutURL(u)
	own := scheme + "://" + user + host
	other := scheme + "://" + user
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		other += host[:i]
	} else if scheme == "http" {
		other += host + ":80"
	} else {
		other += host + ":443"
	}
	urls := []string{own + tail, other + tail}
	if !strings.HasPrefix(tail, "/") {
		urls = append(urls, own+"/"+tail, other+"/"+tail)
	}
	return urls
}

// twilioForm joins the fields as Twilio signs them. A body that is neither a form nor hashed in the URL is not signed, so it is refused.
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

// queryOf parses the query of a URL.
func queryOf(u string) (url.Values, error) {
	_, query, _ := strings.Cut(u, "?")
	values, err := url.ParseQuery(query)
	if err != nil || strings.Count(query, "&") >= maxFields {
		return nil, malformed("the query", "can't be parsed")
	}
	return values, nil
}

// formOf parses the body as a form of at most maxForm bytes. An empty body is an empty form.
func formOf(r *Request) (url.Values, error) { return formUpTo(r, maxForm) }

// formUpTo is formOf with another bound.
func formUpTo(r *Request, size int) (url.Values, error) {
	if len(r.Body) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != formType {
		return nil, &Error{ReasonMismatch, "the body is not a form, so nothing signs it"}
	}
	if len(r.Body) > size || bytes.Count(r.Body, []byte{'&'}) >= maxFields {
		return nil, malformed("the form", "is too large")
	}
	fields, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, malformed("the form", "can't be parsed")
	}
	return fields, nil
}

// joinForm joins what write makes of each field, in the order of their names.
func joinForm(fields url.Values, write func(b *strings.Builder, name string, values []string)) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		write(&b, name, fields[name])
	}
	return b.String()
}
