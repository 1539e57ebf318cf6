package signature

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHMACOptions writes providers down as options of the scheme hmac.
func TestHMACOptions(t *testing.T) {
	t.Parallel()
	const now = "1700000000"
	type o = map[string]string
	rules := []rule{
		{name: "no options", headers: []string{"X-Signature", hexSum("key", "{}")}},
		{name: "sha512 and a prefix", options: o{"alg": "sha512", "header": "Sig", "prefix": "sha512="}, headers: []string{"Sig", "sha512=" + hex.EncodeToString(sum(sha512.New, "key", "{}"))}},
		{name: "sha384", options: o{"alg": "sha384"}, headers: []string{"X-Signature", hex.EncodeToString(sum(sha512.New384, "key", "{}"))}},
		{name: "empty prefix", options: o{"prefix": ""}, headers: []string{"X-Signature", hexSum("key", "{}")}},
		{name: "base64", options: o{"encoding": "base64"}, headers: []string{"X-Signature", b64Sum("key", "{}")}},
		{name: "timestamp header", options: o{"payload": "{t}:{body}", "timestamp_header": "Stamp"}, headers: []string{"X-Signature", hexSum("key", now+":{}"), "Stamp", now}},
		{name: "stale timestamp header", options: o{"payload": "{t}:{body}", "timestamp_header": "Stamp"}, headers: []string{"X-Signature", hexSum("key", "1600000000:{}"), "Stamp", "1600000000"}, reason: ReasonTimestamp},
		{name: "timestamp in milliseconds", options: o{"payload": "{t}{body}", "timestamp_header": "Stamp", "timestamp_unit": "ms"}, headers: []string{"X-Signature", hexSum("key", now+"999{}"), "Stamp", now + "999"}},
		{name: "HTTP date", options: o{"payload": "{body}{t}", "timestamp_header": "Date", "timestamp_unit": "http-date"}, headers: []string{"X-Signature", hexSum("key", "{}Tue, 14 Nov 2023 22:13:20 GMT"), "Date", "Tue, 14 Nov 2023 22:13:20 GMT"}},
		{name: "future, past only", options: o{"payload": "{t}{body}", "timestamp_header": "Stamp", "timestamp_window": "past"}, headers: []string{"X-Signature", hexSum("key", "1800000000{}"), "Stamp", "1800000000"}},
		{name: "list", options: o{"payload": "{t}.{body}", "signature_key": "v1", "timestamp_key": "t"}, headers: []string{"X-Signature", "t=" + now + ",v1=" + hexSum("key", now+".{}")}},
		{name: "list with spaces", options: o{"payload": "{t}.{body}", "signature_key": "v1", "timestamp_key": "t", "separator": "space"}, headers: []string{"X-Signature", "t=" + now + " v1=" + hexSum("key", now+".{}")}},
		{name: "list, exactly one", options: o{"signature_key": "v1", "separator": ";"}, headers: []string{"X-Signature", "v1=" + hexSum("key", "{}") + ";v1=" + hexSum("key", "{}")}, reason: ReasonMalformed},
		{name: "list, any", options: o{"signature_key": "v1", "separator": ";", "signatures": "any"}, headers: []string{"X-Signature", "v1=00;v1=" + hexSum("key", "{}")}},
		{name: "list with slashes", options: o{"list": "slashes", "signature_key": "SHA256"}, headers: []string{"X-Signature", "k1/SHA256/" + hexSum("key", "{}")}},
		{name: "list with slashes, a rotation", options: o{"list": "slashes", "signature_key": "SHA256", "encoding": "base64", "signatures": "any"}, headers: []string{"X-Signature", "k1/SHA256/" + b64Sum("other", "{}") + ", k2/SHA256/" + b64Sum("key", "{}")}},
		{name: "family of headers", options: o{"header": "Sig-*"}, headers: []string{"Sig-1", hexSum("key", "{}")}},
		{name: "family of headers, a rotation", options: o{"header": "Sig-*"}, headers: []string{"Sig-1", hexSum("other", "{}"), "Sig-2", hexSum("key", "{}")}},
		{name: "timestamp in the body", options: o{"timestamp_json": "/at"}, body: `{"at":1700000000}`, headers: []string{"X-Signature", hexSum("key", `{"at":1700000000}`)}},
		{name: "ID header", options: o{"payload": "{id}{body}", "id_header": "Id"}, headers: []string{"X-Signature", hexSum("key", "7{}"), "Id", "7"}},
		{name: "URL", options: o{"payload": "{method} {url}\n{body}"}, url: "https://a.example/in", method: "POST", target: "/in?x=1", headers: []string{"X-Signature", hexSum("key", "POST https://a.example/in?x=1\n{}")}},
		{name: "secret in base64", options: o{"secret_encoding": "base64"}, secrets: []string{base64.StdEncoding.EncodeToString([]byte("key"))}, headers: []string{"X-Signature", hexSum("key", "{}")}},
	}
	for _, r := range rules {
		r.scheme = "hmac"
		if r.body == "" {
			r.body = "{}"
		}
		t.Run(r.name, r.run)
	}
}

func TestHMACOptionsFindIDAndEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options map[string]string
		want    Result
	}{
		"header":             {map[string]string{"id_header": "Id", "event_header": "Event"}, Result{ID: "7", Event: "a"}},
		"signed header":      {map[string]string{"id_header": "Id", "payload": "{id}{body}"}, Result{ID: "7", IDSigned: true, Content: []byte(`7{"id":9,"a/b":["x","c"]}`)}},
		"body":               {map[string]string{"id_json": "/id", "event_json": "/a~1b/1"}, Result{ID: "9", IDSigned: true, Event: "c"}},
		"body before header": {map[string]string{"id_json": "/none", "id_header": "Id"}, Result{ID: "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := New(Config{Scheme: "hmac", Options: c.options, Secrets: []string{"key"}})
			require.NoError(t, err)
			r := &Request{Body: []byte(`{"id":9,"a/b":["x","c"]}`), Header: http.Header{}}
			signed, err := v.Sign(r, "7", noon)
			require.NoError(t, err)
			signed.Set("Id", "7")
			signed.Set("Event", "a")
			r.Header = signed
			res, err := v.Verify(r, noon)
			require.NoError(t, err)
			c.want.BodySigned = true
			require.Equal(t, c.want, res)
		})
	}
}

// TestHostileLists: whatever a list or a family of headers holds that nobody signed, it is refused for its form before more than
// maxCandidates signatures are compared, and what we sign ourselves is right.
func TestHostileLists(t *testing.T) {
	t.Parallel()
	wrong, right := strings.Repeat("0", 64), hexSum("key", "{}")
	type o = map[string]string
	pairs := o{"signature_key": "v1", "signatures": "any"}
	slashed := o{"list": "slashes", "signature_key": "SHA256", "signatures": "any"}
	family := o{"header": "X-Signature-*"}
	numbered := func(n int, value string) []string {
		var h []string
		for i := 1; i <= n; i++ {
			h = append(h, fmt.Sprintf("X-Signature-%d", i), value)
		}
		return h
	}
	for name, c := range map[string]struct {
		options o
		headers []string
		reason  string
	}{
		"1,000 pairs":                  {pairs, []string{"X-Signature", strings.Repeat("v1=00,", 1000) + "v1=" + right}, ReasonMalformed},
		"1,000 slashes":                {slashed, []string{"X-Signature", strings.Repeat("k/SHA256/,", 1000) + "k/SHA256/" + right}, ReasonMalformed},
		"17 pairs, the last one right": {pairs, []string{"X-Signature", strings.Repeat("v1="+wrong+",", 16) + "v1=" + right}, ReasonMalformed},
		"17 slashes":                   {slashed, []string{"X-Signature", strings.Repeat("k/SHA256/"+wrong+",", 16) + "k/SHA256/" + right}, ReasonMalformed},
		"16 slashes, all wrong":        {slashed, []string{"X-Signature", strings.TrimSuffix(strings.Repeat("k/SHA256/"+wrong+",", 16), ",")}, ReasonMismatch},
		"another algorithm":            {slashed, []string{"X-Signature", "k/SHA1/" + right}, ReasonMalformed},
		"none":                         {slashed, []string{"X-Signature", "k//" + right}, ReasonMalformed},
		"no key":                       {slashed, []string{"X-Signature", "/SHA256/" + right}, ReasonMalformed},
		"no signature":                 {slashed, []string{"X-Signature", "k/SHA256/"}, ReasonMalformed},
		"no slash":                     {slashed, []string{"X-Signature", right}, ReasonMalformed},
		"slash too many":               {slashed, []string{"X-Signature", "k/SHA256//" + right}, ReasonMalformed},
		"an empty element":             {slashed, []string{"X-Signature", "k/SHA256/" + right + ","}, ReasonMalformed},
		"two where one is expected":    {o{"list": "slashes", "signature_key": "SHA256"}, []string{"X-Signature", "k/SHA256/" + right + ",k/SHA256/" + right}, ReasonMalformed},
		"1,000 headers":                {family, numbered(1000, wrong), ReasonMalformed},
		"17 headers":                   {family, numbered(17, right), ReasonMalformed},
		"16 headers, all wrong":        {family, numbered(16, wrong), ReasonMismatch},
		"a list in a header":           {family, numbered(1, wrong+","+right), ReasonMalformed},
		"one of them twice":            {family, append(numbered(1, right), "X-Signature-1", right), ReasonMalformed},
		"number 0":                     {family, []string{"X-Signature-0", right}, ReasonMissing},
		"number 01":                    {family, []string{"X-Signature-01", right}, ReasonMissing},
		"an empty one":                 {family, numbered(1, ""), ReasonMissing},
		"no number":                    {family, []string{"X-Signature-", right}, ReasonMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := New(Config{Scheme: "hmac", Options: c.options, Secrets: []string{"key"}})
			require.NoError(t, err)
			r := &Request{Header: http.Header{}, Body: []byte("{}")}
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			_, err = v.Verify(r, noon)
			requireReason(t, c.reason, err)
			own, err := v.Sign(&Request{Body: []byte("{}")}, "", noon)
			require.NoError(t, err)
			_, err = v.Verify(&Request{Header: own, Body: []byte("{}")}, noon)
			require.NoError(t, err)
		})
	}
}

// FuzzLists feeds lists and families of headers to verifiers whose key is unknown.
func FuzzLists(f *testing.F) {
	var verifiers []*Verifier
	for _, options := range []map[string]string{
		{"signature_key": "v1", "signatures": "any"}, {"list": "slashes", "signature_key": "SHA256", "signatures": "any"}, {"header": "X-Signature-*"},
	} {
		v, err := New(Config{Scheme: "hmac", Options: options, Secrets: []string{rand.Text()}})
		require.NoError(f, err)
		verifiers = append(verifiers, v)
	}
	f.Add("v1=00,v1=", "k/SHA256/00")
	f.Add("k/SHA256/,k//,/,", "1/SHA256/"+strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, v := range verifiers {
			_, err := v.Verify(&Request{Header: http.Header{"X-Signature": {one}, "X-Signature-1": {one}, "X-Signature-2": {two}}, Body: []byte("{}")}, noon)
			var refused *Error
			require.ErrorAs(t, err, &refused)
		}
	})
}

func TestBadOptionsAreNamed(t *testing.T) {
	t.Parallel()
	type o = map[string]string
	for name, c := range map[string]struct {
		scheme  string
		options o
		option  string
	}{
		"unknown scheme":                {"nope", nil, "scheme"},
		"auto is not a scheme":          {"auto", nil, "scheme"},
		"unknown option":                {"hmac", o{"algo": "sha1"}, "algo"},
		"option of another scheme":      {"github", o{"header": "X"}, "header"},
		"secret_encoding without HMAC":  {"gitlab", o{"secret_encoding": "hex"}, "secret_encoding"},
		"unknown secret_encoding":       {"github", o{"secret_encoding": "rot13"}, "secret_encoding"},
		"unknown alg":                   {"hmac", o{"alg": "md4"}, "alg"},
		"unknown alg of cloudinary":     {"cloudinary", o{"alg": "sha512"}, "alg"},
		"unknown encoding":              {"hmac", o{"encoding": "base32"}, "encoding"},
		"header with a space":           {"hmac", o{"header": "X Y"}, "header"},
		"empty header":                  {"hmac", o{"header": ""}, "header"},
		"unknown placeholder":           {"hmac", o{"payload": "{nonce}{body}"}, "payload"},
		"open placeholder":              {"hmac", o{"payload": "{body"}, "payload"},
		"payload without the body":      {"hmac", o{"payload": "{url}"}, "payload"},
		"payload with the secret":       {"hmac", o{"payload": "{secret}{body}"}, "payload"},
		"payload without its timestamp": {"hmac", o{"timestamp_header": "Stamp"}, "payload"},
		"timestamp from nowhere":        {"hmac", o{"payload": "{t}{body}"}, "payload"},
		"ID from nowhere":               {"hmac", o{"payload": "{id}{body}"}, "payload"},
		"URL unknown":                   {"hmac", o{"payload": "{url}{body}"}, "url"},
		"two places for the timestamp":  {"hmac", o{"payload": "{t}{body}", "timestamp_header": "Stamp", "timestamp_key": "t", "signature_key": "v1"}, "timestamp_key"},
		"timestamp in body and payload": {"hmac", o{"payload": "{t}{body}", "timestamp_header": "Stamp", "timestamp_json": "/t"}, "timestamp_json"},
		"key of a list without one":     {"hmac", o{"payload": "{t}{body}", "timestamp_key": "t"}, "signature_key"},
		"rotation without a list":       {"hmac", o{"signatures": "any"}, "signature_key"},
		"one key for both":              {"hmac", o{"payload": "{t}{body}", "timestamp_key": "t", "signature_key": "t"}, "timestamp_key"},
		"prefix of a list":              {"hmac", o{"signature_key": "v1", "prefix": "x"}, "prefix"},
		"key with a comma":              {"hmac", o{"signature_key": "v,1"}, "signature_key"},
		"long separator":                {"hmac", o{"signature_key": "v1", "separator": "ab"}, "separator"},
		"slashes without a key":         {"hmac", o{"list": "slashes"}, "signature_key"},
		"slashes with a timestamp":      {"hmac", o{"list": "slashes", "signature_key": "a", "timestamp_key": "t", "payload": "{t}{body}"}, "timestamp_key"},
		"slashes between slashes":       {"hmac", o{"list": "slashes", "signature_key": "a", "separator": "/"}, "list"},
		"slashes in a key":              {"hmac", o{"list": "slashes", "signature_key": "a/b"}, "list"},
		"unknown list":                  {"hmac", o{"list": "dots", "signature_key": "a"}, "list"},
		"list in a family":              {"hmac", o{"header": "Sig-*", "signature_key": "a"}, "signature_key"},
		"separator of keys":             {"hmac", o{"signature_key": "v1", "separator": "="}, "separator"},
		"unknown unit":                  {"hmac", o{"timestamp_unit": "ns"}, "timestamp_unit"},
		"unknown window":                {"hmac", o{"timestamp_window": "future"}, "timestamp_window"},
		"pointer without a slash":       {"hmac", o{"id_json": "id"}, "id_json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Scheme: c.scheme, Options: c.options, Secrets: []string{"key"}})
			require.ErrorIs(t, err, ErrOption)
			require.ErrorContains(t, err, c.option+": ")
		})
	}
}

func TestEveryOptionIsDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, o := range optionHelp {
		documented[o.name] = true
	}
	for i := range presets {
		for _, option := range presets[i].options {
			require.True(t, documented[option], "%s of %s", option, presets[i].name)
		}
	}
}

func TestSchemeNamesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, i := range Schemes() {
		for _, name := range append([]string{i.Name}, i.Aliases...) {
			require.False(t, seen[name], name)
			seen[name] = true
		}
		require.NotEmpty(t, i.Provider)
		require.NotEmpty(t, i.Signed)
	}
}
