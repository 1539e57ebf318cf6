package signature

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// captured is a genuine request, and who verifies it when.
type captured struct {
	name     string
	verifier *Verifier
	request  *Request
	now      time.Time
}

// capturedRequests has one of every scheme and vector, and of templates of the scheme hmac.
func capturedRequests(t *testing.T) []captured {
	var all []captured
	for _, s := range samples(t) {
		if !s.inBody() {
			all = append(all, captured{s.Name, s.verifier(t), s.request(t, noon), noon})
		}
	}
	for _, template := range []string{
		"{body}", "{t}.{body}", "{t}{body}", "{body}{t}", "{body}.{t}", "{id}.{t}.{body}", "{id}{t}{body}", "{t}.{id}.{body}", "{id}.{body}", "{body}{id}",
		"{url}{body}", "{body}{url}", "{url}{t}{body}", "{method}{url}{body}{t}", "{method}\n{url}\n{t}\n{body}", "{url_path}{body}", "{query}{body}", "{query}.{t}.{body}",
		"{method}{url_path}{query}{body}", "{url}", "{t}{url}", "{body_sha256}{t}", "{url}{body_hash}", "{id}{url}{t}{body}",
	} {
		for _, stamp := range []string{"s", "ms", "rfc3339"} {
			c := Config{Scheme: "hmac", Secrets: []string{"key"}, Options: map[string]string{"payload": template, "id_header": "X-Id", "event_header": "X-Event"}}
			if strings.Contains(template, "{t}") {
				c.Options["timestamp_header"], c.Options["timestamp_unit"] = "X-Time", stamp
			}
			if strings.Contains(template, "{url") || strings.Contains(template, "{query") {
				c.URL = "https://a.example/in"
			}
			v, err := New(c)
			if err != nil {
				continue // it says why such a template is not to be had
			}
			r := &Request{Method: "POST", URL: "/in?a=B&c=1700", Header: http.Header{}, Body: []byte(`{"id":"evt_1","list":["a","b"],"n":1700000000}`)}
			h, err := v.Sign(r, "evt_1", noon)
			require.NoError(t, err)
			r.Header = h
			r.Header.Set("X-Id", "evt_1")
			all = append(all, captured{"hmac " + template + " " + stamp, v, r, noon})
		}
	}
	files := []string{filepath.Join("testdata", "vectors.json")}
	if folder := os.Getenv("WEBHOOK_VECTORS"); folder != "" {
		files = append(files, filepath.Join(folder, "vectors.json"), filepath.Join(folder, "vectors-2.json"))
	}
	for _, file := range files {
		for _, vector := range readVectors(t, file) {
			if !vector.Valid {
				continue
			}
			v, err := New(vector.config())
			require.NoError(t, err)
			now := noon
			if vector.Now != nil {
				now = time.Unix(*vector.Now, 0)
			}
			all = append(all, captured{vector.ID, v, vector.request(t), now})
		}
	}
	return all
}

// mutations are requests that whoever captured one can make of it without knowing the secret.
func mutations(r *Request) []*Request {
	var all []*Request
	with := func(change func(m *Request)) {
		m := &Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Body: slices.Clone(r.Body)}
		change(m)
		all = append(all, m)
	}
	for _, method := range []string{"GET", "POST", "PUT", "post", ""} {
		with(func(m *Request) { m.Method = method })
	}
	for _, target := range spellings(r.URL) {
		with(func(m *Request) { m.URL = target })
	}
	for _, body := range bodies(r.Body) {
		with(func(m *Request) { m.Body = body })
	}
	// The border between the URL and the body, and between the query and a form.
	for n := 1; n <= min(len(r.Body), 40); n++ {
		with(func(m *Request) { m.URL, m.Body = m.URL+string(r.Body[:n]), m.Body[n:] })
	}
	for n := 1; n <= min(len(r.URL), 40); n++ {
		cut := len(r.URL) - n
		with(func(m *Request) { m.URL, m.Body = m.URL[:cut], append([]byte(r.URL[cut:]), m.Body...) })
	}
	for _, sep := range []string{"", "?", "&"} {
		with(func(m *Request) { m.URL, m.Body = m.URL+sep+string(m.Body), nil })
		with(func(m *Request) { m.Method, m.URL, m.Body = "GET", m.URL+sep+string(m.Body), nil })
	}
	if path, query, ok := strings.Cut(r.URL, "?"); ok {
		with(func(m *Request) { m.URL, m.Body = path, append([]byte(query+"&"), m.Body...) })
		with(func(m *Request) { m.URL, m.Body = path, append([]byte(query), m.Body...) })
	}
	kinds := []string{"application/json", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=x", "multipart/form-data; boundary=b", "text/plain"}
	for _, kind := range kinds {
		with(func(m *Request) { m.Header.Set("Content-Type", kind) })
	}
	with(func(m *Request) { m.Header.Del("Content-Type") })
	for name, values := range r.Header {
		value := values[0]
		for _, other := range headerValues(value) {
			with(func(m *Request) { m.Header[name] = []string{other} })
		}
		with(func(m *Request) { m.Header[name] = append(m.Header[name], value) })
		with(func(m *Request) { m.Header[name] = append([]string{"x"}, m.Header[name]...) })
		with(func(m *Request) { m.Header[name] = append(m.Header[name], "x") })
		with(func(m *Request) { delete(m.Header, name) })
		// The borders between a header and everything else that is signed.
		for n := 1; n <= min(len(value), 14); n++ {
			tail, head := value[len(value)-n:], value[:n]
			with(func(m *Request) {
				m.Header[name], m.Body = []string{value[:len(value)-n]}, append([]byte(tail), m.Body...)
			})
			with(func(m *Request) { m.Header[name], m.Body = []string{value[n:]}, append(m.Body, head...) })
			with(func(m *Request) { m.Header[name], m.URL = []string{value[n:]}, m.URL+head })
			for other := range r.Header {
				if other != name {
					with(func(m *Request) {
						m.Header[name], m.Header[other] = []string{value[:len(value)-n]}, []string{tail + r.Header[other][0]}
					})
					with(func(m *Request) {
						m.Header[name], m.Header[other] = []string{value[n:]}, []string{r.Header[other][0] + head}
					})
				}
			}
		}
		for n := 1; n <= min(len(r.Body), 14); n++ {
			with(func(m *Request) { m.Header[name], m.Body = []string{value + string(r.Body[:n])}, m.Body[n:] })
			cut := len(r.Body) - n
			with(func(m *Request) { m.Header[name], m.Body = []string{string(r.Body[cut:]) + value}, m.Body[:cut] })
		}
	}
	return all
}

// spellings are other ways to write a request's target.
func spellings(target string) []string {
	all := []string{target + "?", target + "&", target + "#", target + "#x", target + "&x", target + "?x=1", target + "&x=1", "https://other.example" + target, "//" + target,
		strings.ToUpper(target), strings.ToLower(target), strings.Replace(target, "?", "?&", 1), strings.Replace(target, "?", "??", 1), strings.Replace(target, "?", "/?", 1),
		strings.ReplaceAll(target, "+", "%20"), strings.ReplaceAll(target, "%20", "+"), strings.ReplaceAll(target, "&", "&&"), strings.ReplaceAll(target, "&", ";"), strings.ReplaceAll(target, "=", "%3D")}
	for i := range len(target) {
		c := target[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) {
			all = append(all, fmt.Sprintf("%s%%%02X%s", target[:i], c, target[i+1:]), fmt.Sprintf("%s%%%02x%s", target[:i], c, target[i+1:]))
		}
		if c == '%' && i+2 < len(target) {
			all = append(all, target[:i]+strings.ToLower(target[i:i+3])+target[i+3:], target[:i]+strings.ToUpper(target[i:i+3])+target[i+3:])
			if plain, err := url.PathUnescape(target[i : i+3]); err == nil {
				all = append(all, target[:i]+plain+target[i+3:])
			}
		}
	}
	if path, query, ok := strings.Cut(target, "?"); ok {
		pairs := strings.Split(query, "&")
		slices.Reverse(pairs)
		all = append(all, path+"?"+strings.Join(pairs, "&"), path+"?"+query+"&"+query, path+"?"+pairs[0]+"&"+query, path)
	}
	return all
}

// bodies are other ways to write a body.
func bodies(body []byte) [][]byte {
	text := string(body)
	var all [][]byte
	add := func(texts ...string) {
		for _, s := range texts {
			all = append(all, []byte(s))
		}
	}
	add(text+" ", text+"\n", text+"&", "&"+text, " "+text, text+"&=", text+"&"+text, text+"&x=", strings.ReplaceAll(text, "+", "%20"), strings.ReplaceAll(text, ":", ": "), "\ufeff"+text, "")
	pairs := strings.Split(text, "&")
	add(append([]string(nil), strings.Join(append(pairs[len(pairs)-1:], pairs[:len(pairs)-1]...), "&"))...)
	for i := range min(len(text), 200) {
		if c := text[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) {
			add(fmt.Sprintf("%s%%%02X%s", text[:i], c, text[i+1:]), fmt.Sprintf(`%s\u%04x%s`, text[:i], c, text[i+1:]))
		}
		if text[i] == '=' || text[i] == '&' {
			add(text[:i]+text[i+1:], text[:i]+"=&"+text[i+1:])
		}
	}
	// Lists: an element again, and the other way round.
	for i := bytes.IndexByte(body, '['); i >= 0 && i < len(body); {
		if elements, ok := elements(body[i:], 100); ok && len(elements) > 0 {
			parts := make([]string, len(elements))
			for n, e := range elements {
				parts[n] = string(e)
			}
			var raw []byte
			p := scanner{doc: body, i: i}
			if p.skip() {
				raw = body[p.i:]
			}
			list := func(parts ...string) { add(text[:i] + "[" + strings.Join(parts, ",") + "]" + string(raw)) }
			list(append(slices.Clone(parts), parts[0])...)
			list(parts[0])
			list(parts[len(parts)-1])
			slices.Reverse(parts)
			list(parts...)
		}
		next := bytes.IndexByte(body[i+1:], '[')
		if next < 0 {
			break
		}
		i += next + 1
	}
	// Names that the scheme may look for, a second time.
	if bytes.HasPrefix(body, []byte("{")) {
		for _, name := range []string{"id", "event", "timestamp", "token", "Type", "MessageId", "event_id", "eventId", "uuid"} {
			add(`{"`+name+`":"other",`+text[1:], strings.TrimSuffix(text, "}")+`,"`+name+`":"other"}`)
		}
	}
	return all
}

// headerValues are other ways to write a header, or to say something else.
func headerValues(value string) []string {
	all := []string{"other", strings.ToUpper(value), strings.ToLower(value), " " + value, value + " ", value + ",", value + ", ", value + ",x=1", "x=1," + value, value + ";", value + " " + value, value + "," + value,
		"+" + value, "0" + value, value + ".0", value + "0", strings.ReplaceAll(value, ",", ", "), strings.ReplaceAll(value, "=", " = "), strings.ReplaceAll(value, "Z", "+00:00"), strings.ReplaceAll(value, "Z", ".000Z")}
	for _, sep := range []string{",", ";", " ", "&"} {
		parts := strings.Split(value, sep)
		slices.Reverse(parts)
		all = append(all, strings.Join(parts, sep), strings.Join(parts[:1], sep))
	}
	return all
}

// TestLesson62_NoSpellingIsAnotherEvent makes what a stranger can of one captured request of every scheme and vector. Whatever of it still
// verifies is the event that was there before, whichever of the two came first.
func TestLesson62_NoSpellingIsAnotherEvent(t *testing.T) {
	t.Parallel()
	for _, c := range capturedRequests(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res, err := c.verifier.Verify(c.request, c.now)
			require.NoError(t, err)
			original := keysOf(c.request, &res)
			if res.NoDigest || (!res.BodySigned && len(res.Content) == 0 && !res.IDSigned) {
				t.Skip("skipped: nothing that is signed tells its events apart, as its row says")
			}
			require.NotEmpty(t, original)
			for _, m := range mutations(c.request) {
				other, err := c.verifier.Verify(m, c.now)
				if err != nil {
					continue
				}
				keys := keysOf(m, &other)
				require.True(t, duplicate(original, keys) && duplicate(keys, original), "%s %s\n%v\n%s\nis another event than\n%s %s\n%v\n%s\n%v\n%v",
					m.Method, m.URL, m.Header, m.Body, c.request.Method, c.request.URL, c.request.Header, c.request.Body, keys, original)
			}
		})
	}
}
